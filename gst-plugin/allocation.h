// SPDX-License-Identifier: LGPL-2.1-or-later
// Buffers where downstream wants them: from its pool, or its allocator, as the ALLOCATION query found out.
#ifndef GST_DIFFUSE_ALLOCATION_H
#define GST_DIFFUSE_ALLOCATION_H

#include <gst/base/gstbasesrc.h>
#include <gst/base/gstbasetransform.h>

// A buffer of `size` bytes; NULL: no memory. Pools of buffers that are too small are left alone.
GstBuffer *diffuse_allocate_for_source(GstBaseSrc *source, gsize size);
GstBuffer *diffuse_allocate_for_transform(GstBaseTransform *transform, gsize size);

#endif
