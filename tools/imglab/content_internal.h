/** imglab/content, inside: the rows the world is made from. */
#ifndef IMGLAB_CONTENT_INTERNAL_H
#define IMGLAB_CONTENT_INTERNAL_H

#include "content.h"

/** Most revisions after RTM in which one family changes. */
#define LAB_CHANGES 4
/** Most destinations of one family's files. */
#define LAB_PLACES 3

struct lab_world;

/** What a family's own function gets to add keys, services and the like. */
struct lab_making {
	struct lab_world *world;
	struct lab_arena *arena;
	struct lab_component *component;
	unsigned revision; /**< of the content, not of the identity */
};

/** A row: one component family. */
struct lab_family {
	const char *name, *arch, *culture;
	const char *package; /**< base package that installs it */
	const char *feature; /**< update of that package; NULL: the unnamed one */
	/**
	 * "macro path|file file": '-' as the path is the store only. A file may end
	 * in '=' (never changes), '>N' (there from revision N on) or '<N' (gone from N on).
	 */
	const char *places[LAB_PLACES];
	unsigned first;                /**< revision in which it appears; 0: RTM */
	unsigned changes[LAB_CHANGES]; /**< later revisions with new content, ascending, ended by 0 */
	void (*extend)(const struct lab_making *m);
	const char *type, *token, *line; /**< win32 assemblies: type, key token, "6.0"; NULL: the usual */
	unsigned kilobytes;            /**< of each file; 0: 24 */
	bool stack;                    /**< travels with the servicing stack update */
	GPtrArray *real;               /**< with --files: GBytes of the files named in places[0] */
};

/** A row: one package of the base image. */
struct lab_package_row {
	const char *name, *culture, *identifier, *release_type, *display;
	unsigned images;
	bool permanent;
};

extern const struct lab_family lab_families[];
extern const size_t lab_families_count;
extern const struct lab_package_row lab_package_rows[];
extern const size_t lab_package_rows_count;

/** Families that are rules, not rows: the many modules that make up the bulk. */
void lab_add_modules(struct lab_arena *a, GPtrArray *families, enum lab_size size);

/** The vendor's component, and what tells builds and editions apart; see vendor.c. */
void lab_extend_agent(const struct lab_making *m);
void lab_extend_versions(const struct lab_making *m);
void lab_extend_enterprise_g(const struct lab_making *m);
void lab_extend_enterprise(const struct lab_making *m);
void lab_extend_pe(const struct lab_making *m);

/** A key under HKEY_LOCAL_MACHINE\SOFTWARE or \SYSTEM\CurrentControlSet, with one value. */
void lab_set(const struct lab_making *m, const char *path, const char *name, uint32_t type, const char *value);

#endif
