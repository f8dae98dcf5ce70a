// SPDX-License-Identifier: LGPL-2.1-or-later
// What the sounds of a model were called when it learned, and what a prompt says beyond that.
#ifndef EBB_MODEL_KNOWN_WORDS_H
#define EBB_MODEL_KNOWN_WORDS_H

#include <stdbool.h>

#include "model/model.h"

enum { EBB_KNOWN_WORD = 40 }; // bytes of a word, with the 0 at the end

// Finds the first word of the prompt that nothing in the model was called by; false: there is none, or the
// model does not say what its sounds were called. Words that only join others do not count.
bool ebb_find_unknown_word(const struct ebb_model *model, const char *prompt, char word[EBB_KNOWN_WORD]);

// The label whose listed prompts share the most words with the prompt; -1: none shares any.
int ebb_find_label_of_words(const struct ebb_model *model, const char *prompt);

// The index among `count` vectors (count, width) of the one nearest to `vector`, and how near: the cosine of
// the angle between them, seen from the mean of all.
int ebb_find_nearest(const float *vectors, int count, int width, const float *vector, double *cosine);

#endif
