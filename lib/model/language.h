// SPDX-License-Identifier: LGPL-2.1-or-later
// AudioLDM 2's language model (Liu 2023): the states of two text encoders, put after each other, are the
// beginning; GPT-2 goes on with states of its own, which the U-Net is told.
#ifndef EBB_MODEL_LANGUAGE_H
#define EBB_MODEL_LANGUAGE_H

#include <ebb/device.h>

#include "nets/nets.h"

struct ebb_language_size {
    int tokens[2]; // of the two texts
    int count;     // states that follow
};

// Ready for one pair of texts at a time. The networks are borrowed. NULL on failure.
struct ebb_language;
struct ebb_language *ebb_language_create(struct ebb_device *device,
                                         const struct ebb_text_projection *projection,
                                         const struct ebb_text_encoder *encoder,
                                         const struct ebb_language_size *size, struct ebb_error *error);
void ebb_language_destroy(struct ebb_language **language);

// `states[i]` are those of text i, (tokens, width); `seen` tells for each token of the second text whether it
// is seen, NULL: all are. `next` receives (count, width of the language model).
enum ebb_result ebb_language_run(struct ebb_language *language, const float *const states[2],
                                 const bool *seen, float *next, struct ebb_error *error);

#endif
