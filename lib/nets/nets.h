// SPDX-License-Identifier: LGPL-2.1-or-later
// The networks. Each is a file that reads like its paper: a list of graph calls. Configs are parsed and
// checked before. Weights are bound by name and shape when the network is made, so building a graph never
// fails because of weights.
#ifndef EBB_NETS_NETS_H
#define EBB_NETS_NETS_H

#include <stdbool.h>
#include <stdint.h>

#include <ebb/error.h>

#include "graph/graph.h"

struct ebb_unet;            // UNet2DModel or UNet2DConditionModel: config and weights
struct ebb_autoencoder;     // AutoencoderKL
struct ebb_classifier;      // EncoderUNet2DModel, a class of Ebb's own
struct ebb_vocoder;         // SpeechT5HifiGan
struct ebb_text_encoder;    // CLIPTextModel and others of transformers
struct ebb_text_projection; // AudioLDM2ProjectionModel

enum { EBB_UNET_TEXTS = 2 };

struct ebb_unet_shape {
    int n, h, w;
    int condition;              // channels of the condition, 0: none
    int tokens[EBB_UNET_TEXTS]; // of each text, 0: it is not given
    bool masked[EBB_UNET_TEXTS];
    bool turned; // the network's own rows are the input's columns: time goes down its pictures
};

// Builds the U-Net's graph. Inputs: (n, h, w, in_channels - condition); with `condition` > 0 one
// (n, h, w, condition), whose channels follow those of the first; for each text that is given its states
// (n, 1, tokens, ebb_unet_text_width()). Step inputs: the time row; the class row if the network has classes;
// for each text with a mask a row of `tokens` numbers, which are added to the scores of its tokens (0: seen,
// -10000: not seen, as diffusers has it). Output: (n, h, w, out_channels).
enum ebb_result ebb_unet_build(const struct ebb_unet *unet, struct ebb_graph *graph,
                               const struct ebb_unet_shape *shape, struct ebb_error *error);

// Width of the states of text `which`, 0 or 1; 0: the network sees no such text.
int ebb_unet_text_width(const struct ebb_unet *unet, int which);
// Whether the network can be built without the texts that it could see: its transformers then see the places.
bool ebb_unet_may_lack_text(const struct ebb_unet *unet);

// Number of step inputs without masks (1 or 2), and in `width` the floats of each.
int ebb_unet_step_inputs(const struct ebb_unet *unet, int width[2]);

// Fills one row of each step input for `timestep`, class `label` (-1: zeros) or `class_vector` (may be NULL):
// ebb_unet_class_vector() numbers.
void ebb_unet_embed(const struct ebb_unet *unet, double timestep, int label, const float *class_vector,
                    float *time_row, float *class_row);

// Numbers of a vector that replaces a label: as many as the embedding is wide for "identity" classes, as many
// as the projection takes for projected ones, one for "timestep" classes, the label; 0: no classes.
int ebb_unet_class_vector(const struct ebb_unet *unet);

// Factor on the output: 1 / timestep with UNet2DModel's Fourier time embedding, 1 for every other network.
double ebb_unet_output_scale(const struct ebb_unet *unet, double timestep);

int ebb_unet_in_channels(const struct ebb_unet *unet);
int ebb_unet_out_channels(const struct ebb_unet *unet);
int ebb_unet_classes(const struct ebb_unet *unet);  // rows of the class table; 0: none
int ebb_unet_multiple(const struct ebb_unet *unet); // h and w must be multiples of this; 1: building tells

// ---- classifier ----

// Builds the classifier's graph. Input: (n, h, w, in_channels). Step inputs: the time row, and the target
// (n, 1, 1, labels), shares of labels that add up to 1. Outputs: the gradient of sum_k target_k log p(k |
// x) with respect to the input, and the scores (n, 1, 1, labels), whose softmax is p.
enum ebb_result ebb_classifier_build(const struct ebb_classifier *classifier, struct ebb_graph *graph, int n,
                                     int h, int w, struct ebb_error *error);
int ebb_classifier_time_input(const struct ebb_classifier *classifier); // floats of a time row
void ebb_classifier_embed(const struct ebb_classifier *classifier, double timestep, float *row);
int ebb_classifier_in_channels(const struct ebb_classifier *classifier);
int ebb_classifier_labels(const struct ebb_classifier *classifier);
int ebb_classifier_multiple(const struct ebb_classifier *classifier); // h and w must be multiples of this

// ---- text encoder ----

int ebb_text_encoder_width(const struct ebb_text_encoder *encoder);
int ebb_text_encoder_vocabulary(const struct ebb_text_encoder *encoder);   // ids are below this
int ebb_text_encoder_pooled(const struct ebb_text_encoder *encoder);       // width of a text's state; 0: none
int ebb_text_encoder_longest(const struct ebb_text_encoder *encoder);      // tokens of a text
int ebb_text_encoder_follow(const struct ebb_text_encoder *encoder);       // GPT-2: states that it goes on by
bool ebb_text_encoder_is_relative(const struct ebb_text_encoder *encoder); // positions enter by the bias
bool ebb_text_encoder_sees(const struct ebb_text_encoder *encoder, int id); // false: the token is a pad

// Input: the rows of the tokens (n, 1, tokens, width). The bias, where there is one: with relative positions
// a second input (n, heads, tokens, tokens), otherwise a step input of `tokens` numbers. Then, where there is
// a state of the text, a step input of `tokens` numbers that tells which token stands for it. Outputs: the
// states of the tokens (n, 1, tokens, width), and that of the text (n, 1, 1, pooled), where there is one.
enum ebb_result ebb_text_encoder_build(const struct ebb_text_encoder *encoder, struct ebb_graph *graph, int n,
                                       int tokens, struct ebb_error *error);
// What these inputs hold, a text at a time. The rows of ids; positions added to rows that somebody else
// made; the bias, (n, ...) as its shape says (0: there is none), `seen` for each token, NULL: all are; and
// the token that stands for the text.
void ebb_text_encoder_embed(const struct ebb_text_encoder *encoder, const int *ids, int tokens, float *rows);
void ebb_text_encoder_place(const struct ebb_text_encoder *encoder, int tokens, float *rows);
size_t ebb_text_encoder_bias_shape(const struct ebb_text_encoder *encoder, int n, int tokens, int shape[4]);
void ebb_text_encoder_bias(const struct ebb_text_encoder *encoder, const bool *seen, int tokens, float *bias);
void ebb_text_encoder_pick(const struct ebb_text_encoder *encoder, const int *ids, int tokens, float *row);

// AudioLDM 2's layers before its language model. Inputs: the states of two texts (n, 1, tokens[i], width[i]).
// Outputs: the same (n, 1, tokens[i], out). The language model sees them between rows of `out` numbers: begin
// and end (0 and 1) of the first text, then those (2 and 3) of the second.
void ebb_text_projection_widths(const struct ebb_text_projection *projection, int widths[3]); // two, and out
const float *ebb_text_projection_end(const struct ebb_text_projection *projection, int end);
enum ebb_result ebb_text_projection_build(const struct ebb_text_projection *projection,
                                          struct ebb_graph *graph, int n, const int tokens[2],
                                          struct ebb_error *error);

// ---- autoencoder ----

int ebb_autoencoder_in_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_out_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_latent_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_reduction(const struct ebb_autoencoder *net); // h, w of the mel / h, w of the latents
// Encoder: input (n, h, w, in), output (n, h', w', 2 * latent): mean, then log variance, which the caller
// clamps to [-30, 20].
enum ebb_result ebb_encoder_build(const struct ebb_autoencoder *net, struct ebb_graph *graph, int n, int h,
                                  int w, struct ebb_error *error);
// Decoder: input (n, h, w, latent), output (n, h', w', out).
enum ebb_result ebb_decoder_build(const struct ebb_autoencoder *net, struct ebb_graph *graph, int n, int h,
                                  int w, struct ebb_error *error);

// ---- vocoder ----

int ebb_vocoder_bands(const struct ebb_vocoder *vocoder);
int ebb_vocoder_sample_rate(const struct ebb_vocoder *vocoder);
int ebb_vocoder_hop(const struct ebb_vocoder *vocoder);                  // samples from one frame to the next
long ebb_vocoder_samples(const struct ebb_vocoder *vocoder, int frames); // that a mel of `frames` becomes
// What some vocoders want done to a mel (frames, bands) before; others leave it as it is.
void ebb_vocoder_normalize(const struct ebb_vocoder *vocoder, float *mel, size_t frames);
// Input (n, 1, frames, bands), a mel in natural logarithms; output (n, 1, samples, 1).
enum ebb_result ebb_vocoder_build(const struct ebb_vocoder *vocoder, struct ebb_graph *graph, int n,
                                  int frames, struct ebb_error *error);

#endif
