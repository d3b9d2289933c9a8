/* registry, private: the tree, and what its files share. */
#ifndef IB_REGISTRY_INTERNAL_H
#define IB_REGISTRY_INTERNAL_H

#include "registry/registry.h"

#include <string.h>

#define BASE_BLOCK 4096u
#define BIN_UNIT 4096u
#define BIN_HEADER 32u
#define NO_CELL 0xFFFFFFFFu
/* Bit 31 of a cell offset marks volatile storage, so a file's bins end below it. */
#define BINS_MAX 0x7FFFF000u

#define KEY_NAME_MAX 255u     /* units; Windows' limit */
#define VALUE_NAME_MAX 16383u /* units; Windows' limit */
#define DEPTH_MAX 512u        /* Windows' limit; it also bounds our recursion */
#define DATA_MAX (64u << 20)  /* far above Windows' own 1 MB convention */
#define SEGMENT 16344u        /* bytes in one segment of big data */
#define LEAF_MAX 507u         /* entries of an lh leaf that fill one 4 KiB bin */

#define CONTROL_SET_MAX 999u  /* ControlSet%03u has three digits */

#define KEY_VOLATILE 0x01u
#define KEY_ROOT 0x04u
#define KEY_NO_DELETE 0x08u
#define KEY_LINK 0x10u
#define KEY_LATIN1 0x20u
#define VALUE_LATIN1 0x01u

/* Offsets inside the base block. */
enum { BB_SEQ1 = 4, BB_SEQ2 = 8, BB_TIME = 12, BB_MAJOR = 20, BB_MINOR = 24, BB_TYPE = 28, BB_FORMAT = 32,
       BB_ROOT = 36, BB_BINS = 40, BB_CLUSTER = 44, BB_NAME = 48, BB_SUM = 508 };

/* Offsets inside a key cell. */
enum { NK_FLAGS = 2, NK_TIME = 4, NK_ACCESS = 12, NK_PARENT = 16, NK_SUBKEYS = 20, NK_VSUBKEYS = 24, NK_LIST = 28,
       NK_VLIST = 32, NK_VALUES = 36, NK_VALUE_LIST = 40, NK_SK = 44, NK_CLASS = 48, NK_MAX_NAME = 52,
       NK_MAX_CLASS = 56, NK_MAX_VALUE_NAME = 60, NK_MAX_DATA = 64, NK_NAME_LEN = 72, NK_CLASS_LEN = 74,
       NK_NAME = 76 };

/* Offsets inside a value cell. */
enum { VK_NAME_LEN = 2, VK_SIZE = 4, VK_DATA = 8, VK_TYPE = 12, VK_FLAGS = 16, VK_NAME = 20 };

/* Offsets inside a security cell. */
enum { SK_NEXT = 4, SK_PREV = 8, SK_REFS = 12, SK_LEN = 16, SK_DATA = 20 };

/* Memory that lives as long as the hive: a block fills with structs from its begin, with bytes from its end. */
struct registry_arena {
	GPtrArray *blocks;
	uint8_t *at;
	size_t left;
};

/* One security descriptor, shared by all keys with these bytes. */
struct registry_security {
	GBytes *bytes;
	uint32_t cell; /* while saving */
	uint32_t refs; /* while saving */
};

struct ib_value {
	const char *name; /* text; NUL units are C0 80 */
	const uint8_t *data;
	uint32_t len;
	uint32_t type;
	uint32_t hash;
	uint16_t flags;
	bool owned; /* data is ours to free */
};

/* What few keys have. */
struct registry_extra {
	GHashTable *child_index; /* made on demand, for big unsorted parents */
	GHashTable *value_index; /* made on demand, for keys with many values */
	GBytes *class_name;
};

/* A hive of Windows has a million of them: what few have lies outside. */
struct ib_key {
	struct ib_key *parent;
	const char *name;
	struct ib_key **children; /* in the arena when child_room is 0 */
	struct ib_value **values; /* the same with value_room */
	struct registry_extra *extra; /* NULL: none */
	struct registry_security *security;
	uint64_t time;
	uint32_t child_count, child_room;
	uint32_t in_order; /* so many children, from the first one on, are sorted */
	uint32_t value_count, value_room;
	uint32_t access; /* NK_ACCESS, kept as it was */
	uint16_t flags;
	uint16_t user_flags; /* high half of NK_MAX_NAME, kept as it was */
	bool changed;
};

struct ib_hive {
	uint8_t base[BASE_BLOCK];
	struct registry_arena arena;
	GHashTable *securities; /* GBytes -> struct registry_security, owned */
	struct ib_key *root;
	struct ib_hive_info loaded; /* what loading found; counts are made when asked for */
	bool changed;
};

/* Arena; NULL only for more than 64 KiB, when memory is out. */
void *ib_registry_alloc(struct registry_arena *a, size_t size);
/* The same for texts and data, which may lie anywhere. */
void *ib_registry_alloc_bytes(struct registry_arena *a, size_t size);

/* names */
uint32_t ib_registry_hash(const char *name);
int ib_registry_compare(const char *a, const char *b);
/* Units of a text; false when it is not text or has more than max. out may be NULL. */
bool ib_registry_units(const char *text, uint16_t *out, size_t max, size_t *ret_n);
/* A stored name as text in the arena; NULL when it is not a name. */
const char *ib_registry_name(struct registry_arena *a, const uint8_t *p, size_t len, bool latin1);

/* tree */
struct ib_hive *ib_registry_hive_new(void);
struct ib_key *ib_registry_key_new(struct ib_hive *h, struct ib_key *parent, const char *name);
struct registry_security *ib_registry_intern(struct ib_hive *h, GBytes *descriptor);
void ib_registry_touch(struct ib_hive *h, struct ib_key *key);
void ib_registry_sort(struct ib_key *key);
struct ib_key *ib_registry_child(struct ib_key *parent, const char *name);
void ib_registry_value_fini(struct ib_value *v);
/* A key's extra, made when it has none. */
struct registry_extra *ib_registry_extra(struct ib_key *key);
/* A list of pointers with room for one more; it leaves the arena when it grows (room 0: it lies there). */
void *ib_registry_list_grow(void *list, uint32_t count, uint32_t *room);

/* 64-bit Marvin32, which guards the entries of a log */
uint64_t ib_registry_marvin32(uint64_t seed, const uint8_t *p, size_t len);

/* base block */
uint32_t ib_registry_checksum(const uint8_t *base);

/*
 * Bring a dirty hive up to date. *ret is a new reference: the file itself
 * when it is clean (or taken as it is), else a repaired copy. info: dirty and replayed are set.
 */
bool ib_registry_recover(GBytes *file, const struct ib_hive_options *options, struct ib_hive_info *info, GBytes **ret,
			 struct ib_error **err) IB_MUST_CHECK;

#endif
