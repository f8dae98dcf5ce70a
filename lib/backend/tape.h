// Work on a device that is known beforehand: a list of blends, thresholds and evaluations with marks between them, put together ahead
// and then played. Where the backend can, it is recorded once (Vulkan: command buffers) and played again as long as
// the next list is the same; elsewhere it is carried out entry by entry.
#ifndef EBB_BACKEND_TAPE_H
#define EBB_BACKEND_TAPE_H

#include "backend/buffer.h"

struct ebb_tape;

// Empty. Shares the device. NULL on failure.
struct ebb_tape *ebb_tape_create(struct ebb_device *device, struct ebb_error *error);
void ebb_tape_destroy(struct ebb_tape **tape);

// Begins another list. What it names must still be there when it is played.
void ebb_tape_clear(struct ebb_tape *tape);
enum ebb_result ebb_tape_blend(struct ebb_tape *tape, const struct ebb_blend *blend, struct ebb_error *error);
enum ebb_result ebb_tape_threshold(struct ebb_tape *tape, const struct ebb_threshold *threshold, struct ebb_error *error);
// Evaluations are put on a tape by ebb_plan_tape().

// Progress is counted in marks.
enum ebb_result ebb_tape_mark(struct ebb_tape *tape, struct ebb_error *error);

// Told that `marks` have been passed, first 0: every mark on host backends, otherwise now and then. Anything but EBB_OK
// stops the playing.
typedef enum ebb_result (*ebb_tape_tell)(void *user, int marks, struct ebb_error *error);

// Carries the list out, or hands it to the device: as with ebb_blend(), only reading waits for the end.
enum ebb_result ebb_tape_play(struct ebb_tape *tape, ebb_tape_tell tell, void *user, struct ebb_error *error);

#endif
