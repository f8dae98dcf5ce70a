// SPDX-License-Identifier: LGPL-2.1-or-later
// Text encoders: token ids become states, one for each token, and one for the whole text.
#ifndef EBB_NETS_TEXT_ENCODER_H
#define EBB_NETS_TEXT_ENCODER_H

#include "nets/nets.h"
#include "nets/weights.h"

enum ebb_text_kind {
    EBB_TEXT_CLIP,    // CLIP (Radford 2021): sees only what is before a token; norms before the layers
    EBB_TEXT_ROBERTA, // RoBERTa (Liu 2019), as CLAP has it: sees all; norms behind the layers
    EBB_TEXT_T5,      // the encoder of T5 (Raffel 2020): RMS norms, no biases, relative positions
    EBB_TEXT_GPT2,    // GPT-2 (Radford 2019): takes states in place of ids
};

enum { EBB_TEXT_LAYERS = 128, EBB_TEXT_WIDEST = 16384, EBB_TEXT_LONGEST = 8192 };

struct ebb_text_config {
    enum ebb_text_kind kind;
    int vocabulary, width, inner, layers, heads;
    int head_width; // width / heads, except for T5
    int positions;  // rows of the table of positions; T5: 0
    int types;      // RoBERTa: rows of the table of token types
    float eps;
    enum ebb_act act;
    bool gated;            // T5: the inner layer is gated
    int buckets, distance; // T5: of relative positions
    int projection;        // width of the projected state of the text; 0: it is not projected
    enum ebb_act projection_act;
    int follow; // GPT-2: states that it goes on by, where AudioLDM 2 asks
    int pad;    // id of a token that is not seen; CLIP sees all
    int end;    // CLIP: id of the token whose state stands for the text; -1: the largest id has it
};

struct ebb_text_encoder *ebb_text_encoder_create(const struct ebb_text_config *config,
                                                 struct ebb_error *error);
void ebb_text_encoder_destroy(struct ebb_text_encoder **encoder);
struct ebb_weights *ebb_text_encoder_weights(struct ebb_text_encoder *encoder);

// AudioLDM 2's layers between its text encoders and its language model (Liu 2023).
struct ebb_text_projection_config {
    int width[2]; // of the states of the two text encoders
    int out;      // of the language model
};
struct ebb_text_projection *ebb_text_projection_create(const struct ebb_text_projection_config *config,
                                                       struct ebb_error *error);
void ebb_text_projection_destroy(struct ebb_text_projection **projection);
struct ebb_weights *ebb_text_projection_weights(struct ebb_text_projection *projection);

#endif
