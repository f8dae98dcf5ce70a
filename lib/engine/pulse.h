// How far a call is, told to the caller between network evaluations; the caller may ask to stop.
#ifndef EBB_ENGINE_PULSE_H
#define EBB_ENGINE_PULSE_H

#include <ebb/generate.h>

struct ebb_pulse {
    ebb_progress progress; // NULL: nobody listens
    void *user;
    double from, to; // the share of the whole call that is being told about
};

// The share [from, to] of `pulse`.
struct ebb_pulse ebb_pulse_part(const struct ebb_pulse *pulse, double from, double to);

// `fraction` of the part is done. EBB_CANCELLED when the caller asks to stop.
enum ebb_result ebb_pulse_tell(const struct ebb_pulse *pulse, double fraction, struct ebb_error *error);

#endif
