// What leaves the shared library; everything else is hidden (-fvisibility=hidden).
#ifndef EBB_EXPORT_H
#define EBB_EXPORT_H

#define EBB_API __attribute__((visibility("default")))

#endif
