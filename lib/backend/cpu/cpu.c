// For the moment the reference under another name.
#include <stdio.h>

#include "backend/op.h"
#include "base/base.h"

static enum ebb_result cpu_open(struct ebb_device *device, const char *which, int threads, struct ebb_error *error)
{
    if (which)
        return ebb_fail(error, EBB_NO_DEVICE, "device cpu takes no \":%s\"", which);
    snprintf(device->description, sizeof(device->description), "cpu: plain loops, one thread");
    return EBB_OK;
}

struct ebb_backend ebb_backend_cpu;
__attribute__((constructor)) static void fill(void)
{
    ebb_backend_cpu = ebb_backend_ref;
    ebb_backend_cpu.kind = "cpu";
    ebb_backend_cpu.open = cpu_open;
}
