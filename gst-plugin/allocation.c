// SPDX-License-Identifier: LGPL-2.1-or-later
#include "allocation.h"

// NULL: the pool has none of that size.
static GstBuffer *take_from_pool(GstBufferPool *pool, gsize size)
{
    GstBuffer *buffer = NULL;
    if (!pool || gst_buffer_pool_acquire_buffer(pool, &buffer, NULL) != GST_FLOW_OK)
        return NULL;
    if (gst_buffer_get_size(buffer) >= size)
        gst_buffer_set_size(buffer, (gssize)size);
    else
        gst_clear_buffer(&buffer);
    return buffer;
}

// Takes the references.
static GstBuffer *allocate(GstBufferPool *pool, GstAllocator *allocator, GstAllocationParams *params,
                           gsize size)
{
    GstBuffer *buffer = take_from_pool(pool, size);
    if (!buffer)
        buffer = gst_buffer_new_allocate(allocator, size, params);
    gst_clear_object(&pool);
    gst_clear_object(&allocator);
    return buffer;
}

GstBuffer *diffuse_allocate_for_source(GstBaseSrc *source, gsize size)
{
    GstAllocator *allocator;
    GstAllocationParams params;
    gst_base_src_get_allocator(source, &allocator, &params);
    return allocate(gst_base_src_get_buffer_pool(source), allocator, &params, size);
}

GstBuffer *diffuse_allocate_for_transform(GstBaseTransform *transform, gsize size)
{
    GstAllocator *allocator;
    GstAllocationParams params;
    gst_base_transform_get_allocator(transform, &allocator, &params);
    return allocate(gst_base_transform_get_buffer_pool(transform), allocator, &params, size);
}
