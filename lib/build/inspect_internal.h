/* build, private: parts of inspect that fill a file of their own. */
#ifndef IB_BUILD_INSPECT_INTERNAL_H
#define IB_BUILD_INSPECT_INTERNAL_H

#include "build/internal.h"

/* An INF file with what lies beside it. anchors NULL: its signature is not judged. */
bool inspect_driver(const char *path, const struct ib_anchors *anchors, JsonObject *o, struct ib_error **err);
/* Member "drivers": packages that were added to an image. */
bool inspect_set_drivers(struct ib_store *store, JsonObject *o, struct ib_error **err);
/* Member "apps": packages of provisioned apps. */
bool inspect_set_apps(struct ib_store *store, JsonObject *o, struct ib_error **err);

#endif
