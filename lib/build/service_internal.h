/** build/service: what the files of ad-hoc servicing share. */
#ifndef IB_BUILD_SERVICE_INTERNAL_H
#define IB_BUILD_SERVICE_INTERNAL_H

#include "build/internal.h"

struct service {
	const struct ib_service_options *o;
	struct ib_input *in;   /* the WIM inside a disc; NULL: the image is a file */
	struct ib_wim *wim;
	struct ib_image *image;
	struct ib_store *store;
	struct ib_anchors *anchors;
	struct ib_stock *stock;
	unsigned index;
	uint64_t time;         /* FILETIME of all that changes */
	GPtrArray *changes;    /* char *: one line each, for result and GUID */
	GPtrArray *notes;      /* char * */
	GString *first_boot;   /* lines of SetupComplete.cmd */
	struct ib_wim_cost cost;
	uint64_t size;
};

/** One more line of what was changed. */
void service_say(struct service *s, const char *fmt, ...) IB_PRINTF(2, 3);

/* ---- service_store.c ---- */
/** Carry out all that concerns the component store, verify it, put it back into the image. No store is opened for nothing. */
bool service_store(struct service *s, struct ib_error **err);

#endif
