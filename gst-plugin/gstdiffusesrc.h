// diffusesrc: sound out of a diffusion model.
#ifndef GST_DIFFUSE_SRC_H
#define GST_DIFFUSE_SRC_H

#include <gst/base/gstpushsrc.h>

#include "clipworker.h"
#include "format.h"

#define GST_TYPE_DIFFUSE_SRC (gst_diffuse_src_get_type())
G_DECLARE_FINAL_TYPE(GstDiffuseSrc, gst_diffuse_src, GST, DIFFUSE_SRC, GstPushSrc)

GST_ELEMENT_REGISTER_DECLARE(diffusesrc)

// The properties as set; under the object lock, copied where used.
struct src_settings {
    char *model, *device;
    gint threads;
    struct clip_settings clips;
    guint lookahead;
    guint samples_per_buffer;
    double volume;
    gboolean post_messages;
};

struct _GstDiffuseSrc {
    GstPushSrc parent;

    // Under the object lock.
    struct src_settings settings;
    GstStructure *model_info;
    GstClockTime latency; // one buffer, as negotiated
    guint64 underruns;    // live: times a clip came too late

    struct diffuse_session session; // of the state changes, and of the worker while there is one
    struct clip_worker *worker;     // from start to stop; the pointer is under the object lock

    // Of the streaming thread (or those that hold its lock).
    struct format *format;
    GstAudioInfo info;
    int native_rate;
    float *scratch;
    gsize scratch_size;
    guint64 position;    // frames of output since stream time 0
    guint64 silence;     // live: samples at the model's rate put in while a clip was late
    GstClockTime wanted; // a seek's target, not yet turned into frames; NONE: there is none
    double volume;       // at the end of the last buffer; < 0: there was none
    gint64 deadline;     // live: when the last late buffer was given up, monotonic µs
    gint64 left;         // when the last buffer left, monotonic µs; 0: none has since start or seek
    gint64 held_up;      // µs that downstream took for all buffers since then
    guint64 began_at;    // the first one's position
    gboolean tags_sent, underrun;
};

// In gstdiffusesrccreate.c: GstPushSrcClass.create.
GstFlowReturn gst_diffuse_src_create(GstPushSrc *push, GstBuffer **buffer);

// In gstdiffusesrcprops.c: properties and the diffuse:// address.
void gst_diffuse_src_install_properties(GObjectClass *klass);
void gst_diffuse_src_init_properties(GstDiffuseSrc *src);
void gst_diffuse_src_clear_properties(GstDiffuseSrc *src);
void gst_diffuse_src_uri_handler_init(gpointer iface, gpointer data);

#endif
