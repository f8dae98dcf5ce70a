// SPDX-License-Identifier: LGPL-2.1-or-later
// One invocation a value, 64 a workgroup: rows of workgroups as long as every device allows.
layout(local_size_x = 64) in;
#define FLAT ((gl_WorkGroupID.y * 65535u + gl_WorkGroupID.x) * 64u + gl_LocalInvocationIndex)
