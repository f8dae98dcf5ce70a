// Sample rate conversion by a table of windowed sincs: nothing is waited for but half a filter, 96 samples of the lower
// rate (2 ms at 44.1 kHz). Pass band to 0.467 of the lower rate (20.6 kHz at 44.1), 100 dB stop band from half of it on.
#ifndef EBB_AUDIO_POLYPHASE_H
#define EBB_AUDIO_POLYPHASE_H

#include <stdbool.h>
#include <stddef.h>

struct ebb_polyphase;

// Is the table small enough? So it is for all pairs of common rates.
bool ebb_polyphase_suits(int in_rate, int out_rate);
struct ebb_polyphase *ebb_polyphase_create(int in_rate, int out_rate, size_t channels); // NULL: memory
void ebb_polyphase_destroy(struct ebb_polyphase **polyphase);
void ebb_polyphase_reset(struct ebb_polyphase *polyphase);

// Takes frames (interleaved; NULL: zeros). -1: memory.
int ebb_polyphase_put(struct ebb_polyphase *polyphase, const float *input, size_t frames);
size_t ebb_polyphase_ready(const struct ebb_polyphase *polyphase);                    // output frames that can be taken
void ebb_polyphase_take(struct ebb_polyphase *polyphase, float *output, size_t frames); // at most so many
size_t ebb_polyphase_reach(const struct ebb_polyphase *polyphase); // input frames after its own that an output needs

#endif
