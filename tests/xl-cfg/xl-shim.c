/*
 * Lets xl make its dry runs on a machine without Xen: preloaded, it answers for the hypervisor and for xenstore.
 * `xl create -n` asks for little: that there is a machine, and how many processors it has.
 */
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <xenctrl.h>
#include <xenstore.h>

enum { CPUS = 4, NODES = 1, HANDLE_SIZE = 1 << 16 };

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger, unsigned flags)
{
    (void)logger;
    (void)dombuild_logger;
    (void)flags;
    return calloc(1, HANDLE_SIZE);
}

int xc_interface_close(xc_interface *xch)
{
    free(xch);
    return 0;
}

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return calloc(1, HANDLE_SIZE);
}

void xs_close(struct xs_handle *xsh)
{
    free(xsh);
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *info)
{
    (void)ctx;
    libxl_physinfo_init(info);
    info->nr_cpus = CPUS;
    info->max_cpu_id = CPUS - 1;
    info->nr_nodes = NODES;
    return 0;
}

int libxl_get_max_cpus(libxl_ctx *ctx)
{
    (void)ctx;
    return CPUS;
}

int libxl_get_online_cpus(libxl_ctx *ctx)
{
    (void)ctx;
    return CPUS;
}

/* All CPUs are in the first node. */
int libxl_node_to_cpumap(libxl_ctx *ctx, int node, libxl_bitmap *cpumap)
{
    (void)ctx;
    libxl_bitmap_set_none(cpumap);
    for (int cpu = 0; node == 0 && cpu < CPUS; cpu++)
        libxl_bitmap_set(cpumap, cpu);
    return 0;
}

int libxl_get_max_nodes(libxl_ctx *ctx)
{
    (void)ctx;
    return NODES;
}

/* xl looks for dom0_mem here, to know whether it may take memory from dom0. */
const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx)
{
    static libxl_version_info info;

    (void)ctx;
    info.commandline = "dom0_mem=1G";
    return &info;
}
