// What the engines see of an opened model (and nobody above them).
#ifndef EBB_MODEL_FOLDER_H
#define EBB_MODEL_FOLDER_H

#include <ebb/audio.h>
#include <ebb/model.h>

#include "diffusion/run.h"
#include "graph/plan.h"
#include "nets/nets.h"

struct ebb_auto_t { // dB -> t, linear between the points, flat beyond them
    struct ebb_auto_point {
        double db, t;
    } *points;
    int count; // 0: there is none
};

struct ebb_model_own;

struct ebb_model {
    struct ebb_model_info info;
    struct ebb_label *labels; // info.label_count
    int classes;              // that the network can be told, 0: none, whatever the labels
    int no_label;             // class id that means "no label"; -1: none
    int student;              // what a class id is raised by to ask the distilled student; 0: there is none

    struct ebb_mel_params mel;
    int patch[2];        // mel rows and columns folded into channels
    bool conditioned;    // the network also sees the noisy mel
    double change_db;    // > 0: what is diffused is the mel's change, x = 1 + 2 / change_db * (clean dB - noisy dB); 0: the mel
    float *latent_mean;  // per channel; NULL: zeros
    float latent_std;    // network latent = (autoencoder's mean - latent_mean) / latent_std - shift and scale included
    int state[3];        // (c, h, w) of the diffused state of one window
    int state_stride;    // mel frames per column of the state

    struct ebb_schedule *schedule;
    struct ebb_run_params run; // what the folder's scheduler config says: prediction, spacing, offset, clip, compat
    struct ebb_auto_t auto_t;     // by the recording's estimated signal-to-noise ratio
    struct ebb_auto_t auto_doubt; // by what that is above the network's own opinion of it

    // Set by ebb_model_load(); the networks are shared between models of the same folder and device.
    struct ebb_device *device;
    const struct ebb_unet *unet;
    const struct ebb_autoencoder *vae; // NULL: direct
    const struct ebb_classifier *classifier; // NULL: none

    void *engine; // the engine's cached plans and buffers for this model, released by engine_release
    void (*engine_release)(void *engine); // called before the device changes or the model closes
    struct ebb_model_own *own; // model/'s own
};

#endif
