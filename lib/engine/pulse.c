#include "engine/pulse.h"

#include "base/base.h"

struct ebb_pulse ebb_pulse_part(const struct ebb_pulse *pulse, double from, double to)
{
    double width = pulse->to - pulse->from;
    struct ebb_pulse part = *pulse;
    part.from = pulse->from + from * width;
    part.to = pulse->from + to * width;
    return part;
}

enum ebb_result ebb_pulse_tell(const struct ebb_pulse *pulse, double fraction, struct ebb_error *error)
{
    if (!pulse->progress)
        return EBB_OK;
    double now = pulse->from + fraction * (pulse->to - pulse->from);
    if (!pulse->progress(pulse->user, now < 1 ? now : 1))
        return ebb_fail(error, EBB_CANCELLED, "stopped on request");
    return EBB_OK;
}
