// SPDX-License-Identifier: LGPL-2.1-or-later
#include "messages.h"

struct gst_error_code {
    GQuark domain;
    gint code;
};

static struct gst_error_code place_of(enum ebb_result result)
{
    GQuark resource = GST_RESOURCE_ERROR, stream = GST_STREAM_ERROR, library = GST_LIBRARY_ERROR;
    switch (result) {
    case EBB_INVALID: return (struct gst_error_code){library, GST_LIBRARY_ERROR_SETTINGS};
    case EBB_NOT_FOUND: return (struct gst_error_code){resource, GST_RESOURCE_ERROR_NOT_FOUND};
    case EBB_UNREADABLE: return (struct gst_error_code){resource, GST_RESOURCE_ERROR_OPEN_READ};
    case EBB_UNWRITABLE: return (struct gst_error_code){resource, GST_RESOURCE_ERROR_OPEN_WRITE};
    case EBB_WRONG_TYPE: return (struct gst_error_code){stream, GST_STREAM_ERROR_WRONG_TYPE};
    case EBB_UNSUPPORTED: return (struct gst_error_code){stream, GST_STREAM_ERROR_NOT_IMPLEMENTED};
    case EBB_CORRUPT: return (struct gst_error_code){resource, GST_RESOURCE_ERROR_READ};
    case EBB_OUT_OF_MEMORY: return (struct gst_error_code){resource, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
    case EBB_NO_DEVICE: return (struct gst_error_code){library, GST_LIBRARY_ERROR_INIT};
    case EBB_DEVICE_FAILED: return (struct gst_error_code){stream, GST_STREAM_ERROR_FAILED};
    case EBB_OK:
    case EBB_CANCELLED: break;
    }
    return (struct gst_error_code){library, GST_LIBRARY_ERROR_FAILED};
}

static void post(GstElement *element, GstMessageType type, const struct ebb_error *error)
{
    struct gst_error_code place = place_of(error->code);
    gst_element_message_full(element, type, place.domain, place.code, g_strdup(error->message),
                             g_strdup_printf("ebb " VERSION ": %s", ebb_result_name(error->code)), __FILE__,
                             "session", __LINE__);
}

void diffuse_post_error(GstElement *element, const struct ebb_error *error)
{
    post(element, GST_MESSAGE_ERROR, error);
}

void diffuse_post_warning(GstElement *element, const struct ebb_error *error)
{
    post(element, GST_MESSAGE_WARNING, error);
}

struct diffuse_moment diffuse_moment_at(const GstSegment *segment, GstClockTime timestamp)
{
    if (segment->format != GST_FORMAT_TIME) // bytes, as from a file without a parser
        return (struct diffuse_moment){timestamp, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE};
    return (struct diffuse_moment){timestamp, gst_segment_to_stream_time(segment, GST_FORMAT_TIME, timestamp),
                                   gst_segment_to_running_time(segment, GST_FORMAT_TIME, timestamp)};
}

void diffuse_sync_properties(GstElement *element, const struct diffuse_moment *moment)
{
    if (GST_CLOCK_TIME_IS_VALID(moment->stream_time))
        gst_object_sync_values(GST_OBJECT(element), moment->stream_time);
}

static void add_time(GstStructure *structure, const char *field, GstClockTime time)
{
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_structure_set(structure, field, G_TYPE_UINT64, time, NULL);
}

void diffuse_post_structure(GstElement *element, const struct diffuse_moment *moment, GstClockTime duration,
                            GstStructure *structure)
{
    add_time(structure, "timestamp", moment->timestamp);
    add_time(structure, "stream-time", moment->stream_time);
    add_time(structure, "running-time", moment->running_time);
    add_time(structure, "duration", duration);
    gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

void diffuse_post_qos(GstElement *element, const struct diffuse_moment *moment, const struct diffuse_qos *qos)
{
    GstMessage *message = gst_message_new_qos(GST_OBJECT(element), TRUE, moment->running_time,
                                              moment->stream_time, moment->timestamp, qos->duration);
    gst_message_set_qos_values(message, qos->jitter, 1.0, qos->quality);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, qos->processed, qos->dropped);
    gst_element_post_message(element, message);
}
