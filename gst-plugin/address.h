// SPDX-License-Identifier: LGPL-2.1-or-later
// Addresses: diffuse://label?seed=3&num-clips=2. The label is the host; a query may hold every setting of a
// stream, and volume.
#ifndef GST_DIFFUSE_ADDRESS_H
#define GST_DIFFUSE_ADDRESS_H

#include <gst/gst.h>

#include <ebb/ebb.h>

#define ADDRESS_SCHEME "diffuse"

// The address of a recipe: the label, and the settings that are set. The caller frees it.
char *address_write(const struct ebb_recipe *recipe);

// Sets the properties of `source`, a diffusesrc, that the address names. FALSE with `error` filled at the
// first name or value that no address may hold.
gboolean address_apply(GObject *source, const char *address, GError **error);

#endif
