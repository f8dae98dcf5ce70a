// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/version.h>

const char *ebb_version(void)
{
    return EBB_VERSION;
}
