/* build, private: an open hive and its place. */
#ifndef IB_BUILD_HIVES_INTERNAL_H
#define IB_BUILD_HIVES_INTERNAL_H

#include "build/internal.h"
#include "build/hives.h"
#include "registry/registry.h"

struct ib_hive_place {
	char *where; /* as it was given */
	char *root;  /* HKEY_LOCAL_MACHINE\SOFTWARE … */
	struct ib_hive *hive;
	GPtrArray *logs; /* char *: names of the logs beside a hive file */
	unsigned threads;
	struct ib_wim *wim; /* NULL: a hive file */
	struct ib_image *image;
	unsigned index;
	char *path; /* in the image */
};

/* The path below the hive's root of a key as people write it; g_free. */
bool hive_key_path(struct ib_hive_place *p, const char *key, char **ret, struct ib_error **err);
/* The key that is meant; NULL: the root. Borrowed. */
bool hive_key(struct ib_hive_place *p, const char *key, struct ib_key **ret, struct ib_error **err);

#endif
