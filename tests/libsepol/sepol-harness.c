/*
 * Asks libsepol what a binary policy decides: `sepol-harness POLICY`.
 *
 * First writes `loaded NANOSECONDS`. Then reads one question per line from standard input and writes one line for each:
 *
 *   c CONTEXT           gives the context the next number, from 0      1, or 0 where it is not valid
 *   a S T CLASS         access vectors, S and T numbers of contexts    ALLOWED AUDITALLOW AUDITDENY, hexadecimal
 *   t S T CLASS         context of a new object (type_transition)      CONTEXT
 *   m S T CLASS         member (type_member)                           CONTEXT
 *   h S T CLASS         relabel (type_change)                          CONTEXT
 *   b NAME 0|1          sets a boolean                                 1, or 0 where there is none
 *   x COUNT SEED        COUNT decisions between the contexts           NANOSECONDS SUM
 *
 * CLASS is the class's number in the policy. `-` is the answer where libsepol gives an error.
 * The library's own tables are set, so that a boolean can be changed; that needs the static library.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sepol/debug.h>
#include <sepol/policydb/conditional.h>
#include <sepol/policydb/hashtab.h>
#include <sepol/policydb/policydb.h>
#include <sepol/policydb/services.h>
#include <sepol/policydb/sidtab.h>

static policydb_t policy;
static sidtab_t sids;
static sepol_security_id_t *contexts;
static size_t context_count, context_room;
static int conditionals_stale;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int load(const char *path)
{
    struct policy_file file;
    uint64_t start = now();
    FILE *stream = fopen(path, "rb");

    if (!stream)
        return -1;
    policy_file_init(&file);
    file.type = PF_USE_STDIO;
    file.fp = stream;
    if (policydb_init(&policy) || policydb_read(&policy, &file, 0))
        return -1;
    fclose(stream);
    if (policydb_load_isids(&policy, &sids))
        return -1;
    sepol_set_policydb(&policy);
    sepol_set_sidtab(&sids);
    printf("loaded %llu\n", (unsigned long long)(now() - start));
    return 0;
}

/* Answers `c`. An invalid context takes a number too, so that both sides count alike. */
static void add_context(const char *text)
{
    sepol_security_id_t sid = 0;
    int valid = sepol_context_to_sid(text, strlen(text) + 1, &sid) == 0;

    if (context_count == context_room) {
        context_room = context_room ? context_room * 2 : 1024;
        contexts = realloc(contexts, context_room * sizeof(*contexts));
        if (!contexts)
            exit(3);
    }
    contexts[context_count++] = valid ? sid : 0;
    puts(valid ? "1" : "0");
}

static void set_boolean(const char *name, int value)
{
    cond_bool_datum_t *boolean = hashtab_search(policy.p_bools.table, (hashtab_key_t)name);

    if (!boolean) {
        puts("0");
        return;
    }
    boolean->state = value;
    conditionals_stale = 1;
    puts("1");
}

static void compute_av(sepol_security_id_t source, sepol_security_id_t target, unsigned int class)
{
    struct sepol_av_decision decision;

    if (sepol_compute_av(source, target, class, 0xffffffffu, &decision))
        puts("-");
    else
        printf("%x %x %x\n", decision.allowed, decision.auditallow, decision.auditdeny);
}

static void compute_sid(char kind, sepol_security_id_t source, sepol_security_id_t target, unsigned int class)
{
    sepol_security_id_t sid = 0;
    char *text = NULL;
    size_t length = 0;
    int failed = kind == 't'   ? sepol_transition_sid(source, target, class, &sid)
                 : kind == 'm' ? sepol_member_sid(source, target, class, &sid)
                               : sepol_change_sid(source, target, class, &sid);

    if (failed || sepol_sid_to_context(sid, &text, &length)) {
        puts("-");
        return;
    }
    puts(text);
    free(text);
}

/* The generator of `bench/decisions.ts`: both walk the same questions, and the sum shows it. */
static void measure(uint32_t count, uint32_t seed)
{
    uint32_t x = seed, sum = 0;
    uint64_t start = now();

    for (uint32_t i = 0; i < count; i++) {
        struct sepol_av_decision decision;
        uint32_t source, target, class;

        x = x * 1664525u + 1013904223u;
        source = (x >> 8) % context_count;
        x = x * 1664525u + 1013904223u;
        target = (x >> 8) % context_count;
        x = x * 1664525u + 1013904223u;
        class = 1 + (x >> 8) % policy.p_classes.nprim;
        if (!sepol_compute_av(contexts[source], contexts[target], class, 0xffffffffu, &decision))
            sum += decision.allowed;
    }
    printf("%llu %u\n", (unsigned long long)(now() - start), sum);
}

static void answer(char *line)
{
    unsigned int source, target, class;
    char name[4096];
    char rest = 0;

    line[strcspn(line, "\n")] = 0;
    if (line[0] == 'c' && line[1] == ' ')
        add_context(line + 2);
    else if (line[0] == 'b' && sscanf(line, "b %4095s %u", name, &source) == 2)
        set_boolean(name, source != 0);
    else if (line[0] == 'x' && context_count && sscanf(line, "x %u %u", &source, &target) == 2)
        measure(source, target);
    else if (line[0] && strchr("atmh", line[0]) && sscanf(line + 1, " %u %u %u %c", &source, &target, &class, &rest) == 3 &&
             source < context_count && target < context_count) {
        if (conditionals_stale)
            evaluate_conds(&policy);
        conditionals_stale = 0;
        if (line[0] == 'a')
            compute_av(contexts[source], contexts[target], class);
        else
            compute_sid(line[0], contexts[source], contexts[target], class);
    } else {
        fprintf(stderr, "not a question: %s\n", line);
        exit(2);
    }
}

int main(int count, char **arguments)
{
    static char line[1 << 16];

    if (count != 2)
        return 2;
    sepol_debug(0);
    if (load(arguments[1])) {
        fprintf(stderr, "libsepol does not read %s\n", arguments[1]);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin))
        answer(line);
    return 0;
}
