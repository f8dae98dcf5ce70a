// The networks: each file reads like its paper, a list of graph calls. Configs are already parsed and checked; weights
// are bound by name and shape when the network is made, so that building a graph cannot fail for their sake.
#ifndef EBB_NETS_NETS_H
#define EBB_NETS_NETS_H

#include <stdbool.h>
#include <stdint.h>

#include <ebb/error.h>

#include "graph/graph.h"

struct ebb_unet;        // UNet2DModel: config and weights
struct ebb_autoencoder; // AutoencoderKL
struct ebb_classifier;  // EncoderUNet2DModel, ours

// Declares the input (n, h, w, in_channels - condition) and, if `condition` > 0, a second input (n, h, w, condition) that is
// concatenated behind it; then the step inputs: the time row, and the class row if the network has classes. Declares the
// output (n, h, w, out_channels).
enum ebb_result ebb_unet_build(const struct ebb_unet *unet, struct ebb_graph *graph, int n, int h, int w, int condition,
                               struct ebb_error *error);

// Step inputs: how many (1 or 2), and the floats of each.
int ebb_unet_step_inputs(const struct ebb_unet *unet, int width[2]);

// Fills one row of each step input for `timestep`, class `label` (-1: zeros) or `class_vector` (may be NULL): a row as
// wide as the embedding for "identity" classes, one number for "timestep" classes.
void ebb_unet_embed(const struct ebb_unet *unet, double timestep, int label, const float *class_vector, float *time_row,
                    float *class_row);

// Fourier time embedding divides the output by the timestep: 1 for every other network.
double ebb_unet_output_scale(const struct ebb_unet *unet, double timestep);

int ebb_unet_in_channels(const struct ebb_unet *unet);
int ebb_unet_out_channels(const struct ebb_unet *unet);
int ebb_unet_classes(const struct ebb_unet *unet); // rows of the class table; 0: none
int ebb_unet_multiple(const struct ebb_unet *unet); // h and w must be multiples of this

// ---- classifier ----

// Declares the input (n, h, w, in_channels) and the step inputs: the time row, and the target (n, 1, 1, labels), shares of
// labels that add up to 1. Declares the outputs: the gradient of sum_k target_k log p(k | x) with respect to the input, and
// the scores (n, 1, 1, labels), of which a softmax makes p.
enum ebb_result ebb_classifier_build(const struct ebb_classifier *classifier, struct ebb_graph *graph, int n, int h, int w,
                                     struct ebb_error *error);
int ebb_classifier_time_input(const struct ebb_classifier *classifier); // floats of a time row
void ebb_classifier_embed(const struct ebb_classifier *classifier, double timestep, float *row);
int ebb_classifier_in_channels(const struct ebb_classifier *classifier);
int ebb_classifier_labels(const struct ebb_classifier *classifier);
int ebb_classifier_multiple(const struct ebb_classifier *classifier); // h and w must be multiples of this

// ---- autoencoder ----

int ebb_autoencoder_in_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_out_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_latent_channels(const struct ebb_autoencoder *net);
int ebb_autoencoder_reduction(const struct ebb_autoencoder *net); // h and w of the latent are this much smaller

// Input (n, h, w, in), output (n, h', w', 2 * latent): mean, then log variance (to be clamped to [-30, 20] when used).
enum ebb_result ebb_encoder_build(const struct ebb_autoencoder *net, struct ebb_graph *graph, int n, int h, int w,
                                  struct ebb_error *error);
// Input (n, h, w, latent), output (n, h', w', out).
enum ebb_result ebb_decoder_build(const struct ebb_autoencoder *net, struct ebb_graph *graph, int n, int h, int w,
                                  struct ebb_error *error);

#endif
