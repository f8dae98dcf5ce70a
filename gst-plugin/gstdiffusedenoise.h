// diffusedenoise: takes noise out of a recording with a diffusion model.
#ifndef GST_DIFFUSE_DENOISE_H
#define GST_DIFFUSE_DENOISE_H

#include <gst/audio/gstaudiofilter.h>

#include "session.h"

#define GST_TYPE_DIFFUSE_DENOISE (gst_diffuse_denoise_get_type())
G_DECLARE_FINAL_TYPE(GstDiffuseDenoise, gst_diffuse_denoise, GST, DIFFUSE_DENOISE, GstAudioFilter)

GST_ELEMENT_REGISTER_DECLARE(diffusedenoise)

enum overload { OVERLOAD_WAIT, OVERLOAD_DRY, OVERLOAD_FEWER_STEPS };

// The properties as set; under the object lock, read where used.
struct denoise_settings {
    char *model, *device, *sampler;
    gint threads, steps;
    double t; // < 0: never set, as the model recommends
    double wet;
    gboolean auto_t, bypass, post_messages;
    gint latency; // ms, -1: measured
    enum overload overload;
};

// What an engine is told, and again while it runs.
struct denoise_knobs {
    double t; // EBB_T_AUTO: measured
    double wet;
    gint steps;
};

struct denoise_stats {
    guint64 windows, overloads;
    double t, snr;        // snr NAN: not measured
    GstClockTime compute; // time spent
    GstClockTime sound;   // on this much
    GstClockTime latency; // reported
    gboolean loaded, live;
};

// Between two discontinuities: output frame k belongs to input frame k.
struct denoise_run {
    GstClockTime start; // of the first frame; NONE: there is none yet
    guint64 in, out;    // frames
    gboolean discont;   // the next output is the first
};

struct _GstDiffuseDenoise {
    GstAudioFilter parent;

    // Under the object lock.
    struct denoise_settings settings;
    struct denoise_stats stats;
    double model_t; // what the model recommends

    struct diffuse_session session; // of the state changes, and of the loader while it runs

    GMutex mutex;
    GCond cond;
    GThread *loader;
    gboolean load_ended, load_good; // under the mutex
    gint flushing, stopping, cancel; // atomic; cancel: one of the others

    // Of the streaming thread.
    struct ebb_denoise *engine;
    GstAudioInfo engine_info; // what it was made for
    gboolean live, warm;
    GstClockTime algorithm, allowance; // the two parts of the latency
    struct denoise_run run;
    float *scratch; // one slice, channels interleaved
    struct denoise_knobs knobs; // as the engine has them
    GstClockTime debt; // live: computing time not yet paid back by the clock
    gboolean dry;      // overloaded: nothing is computed until the debt is paid
    gint fewer;        // overloaded: steps are divided by 2^fewer
    GstClockTime calm; // sound since there last was much of a debt
    GstClockTime posted; // stream time of the last element message
};

#define DIFFUSE_DENOISE_SLICE 1024                   // frames between two looks at the controlled properties
#define DIFFUSE_DENOISE_ALLOWANCE (20 * GST_MSECOND) // for computing, until measured, and at least

// What the properties ask for now.
struct denoise_knobs gst_diffuse_denoise_knobs(GstDiffuseDenoise *filter);
// A denoiser for `info` with these knobs and the other properties as they are. NULL with `error` filled.
struct ebb_denoise *gst_diffuse_denoise_make_engine(GstDiffuseDenoise *filter, const GstAudioInfo *info,
                                                    const struct denoise_knobs *knobs, struct ebb_error *error);
// Tells the pipeline if the latency has changed.
void gst_diffuse_denoise_publish_latency(GstDiffuseDenoise *filter);

// In gstdiffusedenoiserun.c, all for the streaming thread.
void gst_diffuse_denoise_forget_run(GstDiffuseDenoise *filter);
GstFlowReturn gst_diffuse_denoise_submit(GstDiffuseDenoise *filter, GstBuffer *buffer); // borrows the buffer
GstFlowReturn gst_diffuse_denoise_next_output(GstDiffuseDenoise *filter, GstBuffer **out); // *out NULL: nothing is ready
GstFlowReturn gst_diffuse_denoise_drain(GstDiffuseDenoise *filter);
gboolean gst_diffuse_denoise_fill_gap(GstDiffuseDenoise *filter, GstEvent *event); // TRUE: that was all there is to do

// In gstdiffusedenoiseprops.c
void gst_diffuse_denoise_install_properties(GObjectClass *klass);
void gst_diffuse_denoise_init_properties(GstDiffuseDenoise *filter);
void gst_diffuse_denoise_clear_properties(GstDiffuseDenoise *filter);

#endif
