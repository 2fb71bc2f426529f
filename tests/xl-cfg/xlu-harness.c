/*
 * Asks libxlutil what it makes of xl.cfg texts.
 *
 * Reads records from standard input: a 32-bit length, least byte first, then that many bytes of configuration.
 * Writes one line of JSON for each; bytes from 0x80 on are written as code points of the same number.
 * A text with a NUL byte may trip an assertion, so it is parsed in a child.
 *
 * libxlutil keeps its structures to itself and can only be asked for keys whose names one knows. To list all
 * settings, the structures are declared here as Xen 4.17 lays them out (tools/libs/util/libxlu_internal.h).
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libxl.h>
#include <libxlutil.h>

struct value {
    int is_list;
    union {
        const char *text;
        struct {
            int room, count;
            struct value **items;
        } list;
    } u;
    int line, column, last_line, last_column;
};

struct setting {
    struct setting *earlier;
    const char *key;
    struct value *value;
    int is_append, line;
};

struct config {
    struct setting *last;
};

static char *report_text;
static size_t report_length;
static FILE *report;

static void put_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = *text;
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void put_value(const struct value *value)
{
    if (!value->is_list) {
        printf("[%d,", value->line);
        put_text(value->u.text);
        printf("]");
        return;
    }
    printf("[%d,[", value->line);
    for (int i = 0; i < value->u.list.count; i++) {
        if (i)
            putchar(',');
        put_value(value->u.list.items[i]);
    }
    printf("]]");
}

/* What the parser or a reader wrote since the last call. */
static void put_report(void)
{
    fflush(report);
    report_text[report_length] = 0;
    put_text(report_text);
    rewind(report);
}

static const char *errno_name(int error)
{
    switch (error) {
    case ESRCH: return "ESRCH";
    case EINVAL: return "EINVAL";
    case ERANGE: return "ERANGE";
    default: return "?";
    }
}

/* The end of one reader's answer: its value was written already, or its errno and warning follow. */
static void put_refusal(int error)
{
    if (!error)
        return;
    printf("[\"%s\",", errno_name(error));
    put_report();
    printf("]");
}

static void put_lookups(XLU_Config *cfg, const char *key)
{
    const char *text;
    long number;
    libxl_defbool flag;
    libxl_string_list strings;
    XLU_ConfigList *list;
    int count, error;

    error = xlu_cfg_get_string(cfg, key, &text, 0);
    if (!error)
        put_text(text);
    put_refusal(error);
    putchar(',');
    error = xlu_cfg_get_long(cfg, key, &number, 0);
    if (!error)
        printf("\"%ld\"", number);
    put_refusal(error);
    putchar(',');
    error = xlu_cfg_get_bounded_long(cfg, key, 0, INT_MAX, &number, 0);
    if (!error)
        printf("\"%ld\"", number);
    put_refusal(error);
    putchar(',');
    error = xlu_cfg_get_defbool(cfg, key, &flag, 0);
    if (!error)
        printf(libxl_defbool_val(flag) ? "true" : "false");
    put_refusal(error);
    putchar(',');
    error = xlu_cfg_get_list(cfg, key, &list, &count, 0);
    if (!error)
        printf("%d", count);
    put_refusal(error);
    putchar(',');
    error = xlu_cfg_get_list_as_string_list(cfg, key, &strings, 0);
    if (!error) {
        putchar('[');
        for (int i = 0; i < count && strings[i]; i++) {
            if (i)
                putchar(',');
            put_text(strings[i]);
        }
        putchar(']');
    }
    put_refusal(error);
}

static int is_newest(const struct config *cfg, const struct setting *setting)
{
    const struct setting *at = cfg->last;
    while (strcmp(at->key, setting->key))
        at = at->earlier;
    return at == setting;
}

static void put_answer(const char *data, int length)
{
    XLU_Config *cfg = xlu_cfg_init(report, "guest.cfg");
    const struct config *inside = (const void *)cfg;
    struct setting **settings = NULL;
    int count = 0;
    int error = xlu_cfg_readdata(cfg, data, length);

    printf("{\"error\":");
    if (error)
        printf("\"%s\"", errno_name(error));
    else
        printf("null");
    printf(",\"report\":");
    put_report();
    for (struct setting *at = inside->last; at; at = at->earlier)
        count++;
    settings = calloc(count + 1, sizeof *settings);
    for (struct setting *at = inside->last; at; at = at->earlier)
        settings[--count] = at;
    printf(",\"settings\":[");
    for (int i = 0; settings[i]; i++) {
        printf("%s[", i ? "," : "");
        put_text(settings[i]->key);
        printf(",\"%s\",%d,", settings[i]->is_append ? "+=" : "=", settings[i]->line);
        put_value(settings[i]->value);
        putchar(']');
    }
    printf("],\"lookups\":[");
    for (int i = 0, written = 0; !error && settings[i]; i++) {
        if (!is_newest(inside, settings[i]))
            continue;
        printf(written++ ? ",[" : "[");
        put_text(settings[i]->key);
        putchar(',');
        put_lookups(cfg, settings[i]->key);
        putchar(']');
    }
    printf("]}\n");
    free(settings);
    xlu_cfg_destroy(cfg);
}

static void put_answer_of_child(const char *data, int length)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        fclose(stderr);
        put_answer(data, length);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("{\"error\":\"SIGABRT\"}\n");
}

int main(void)
{
    unsigned char head[4];

    report = open_memstream(&report_text, &report_length);
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        uint32_t length = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
        char *data = malloc(length + 1);

        if (fread(data, 1, length, stdin) != length)
            return 1;
        if (memchr(data, 0, length))
            put_answer_of_child(data, length);
        else
            put_answer(data, length);
        free(data);
    }
    return 0;
}
