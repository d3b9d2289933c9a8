/* Packages with one fault each: what hostile.c makes and hostile_pack.c packs. */
#ifndef IMGLAB_HOSTILE_KIT_H
#define IMGLAB_HOSTILE_KIT_H

#include "certs.h"
#include "digest/digest.h"
#include "model.h"

/* What a claimed or real size is, of what nobody may take. */
#define HUGE_BYTES ((gsize)500 << 20)

/* What is done once all is signed. */
enum flaw {
	FLAW_NONE,
	FLAW_MUM_CHANGED, FLAW_MANIFEST_CHANGED, FLAW_DEPLOYMENT_CHANGED, FLAW_PAYLOAD_CHANGED,
	FLAW_MUM_UNLISTED, FLAW_MANIFEST_UNLISTED, FLAW_DEPLOYMENT_UNLISTED,
	FLAW_PAYLOAD_MISSING, FLAW_MANIFEST_MISSING, FLAW_DEPLOYMENT_MISSING,
	FLAW_MANIFEST_RENAMED, FLAW_MUM_RENAMED, FLAW_MANIFEST_TWICE,
	FLAW_CATALOG_MISSING, FLAW_CATALOG_CHANGED, FLAW_CATALOG_CUT, FLAW_CATALOG_EMPTY, FLAW_STRANGER, FLAW_UNSTAMPED,
	FLAW_MANIFEST_HUGE, FLAW_MANIFEST_CLAIM, FLAW_MUM_HUGE,
	FLAW_MEMBER, FLAW_INDEX, FLAW_INDEX_CLAIM, /* arg names one more file: in the cabinet, in an index */
};

struct kit {
	struct lab_arena *arena;
	const struct lab_pki *pki;
	const char *arg;
	struct lab_package *root;
	struct lab_component *deployment, *component;
	struct lab_file *file;
	GPtrArray *packages;  /* struct lab_package: root first */
	const char *edit_of;  /* how names of the texts to be changed end; NULL: none */
	const char *edit_find;
	char *edit_put;       /* put before what was found; owned */
	enum flaw flaw;
	GPtrArray *members;   /* struct lab_member */
	uint8_t digest[IB_SHA256_SIZE]; /* of the text listed last */
};

/* Sign and pack all of it, with its flaw, as dir/name. */
bool lab_hostile_pack(struct kit *k, const char *dir, const char *name, struct ib_error **err);

#endif
