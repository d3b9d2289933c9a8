/**
 * imglab/content: the laboratory's world, one table from which the base image
 * and all updates derive: which components exist, in which package, with which
 * files, and in which revisions each of them changed.
 *
 * amd64; build 17763, or that of another system. A version is 10.0.<build>.<revision>. The bytes of a file
 * depend on the seed, the component, the file's name and the revision only;
 * two revisions of a file resemble each other as two builds of a program do.
 */
#ifndef IMGLAB_CONTENT_H
#define IMGLAB_CONTENT_H

#include "base/base.h"

#include "model.h"
#include "system.h"

/** Releases are revisions of build 17763, as on the public list of updates. */
enum lab_release {
	LAB_RTM = 1,
	LAB_4C = 1911,     /**< April 2021 preview */
	LAB_STACK = 2170,  /**< servicing stack that comes before 9B */
	LAB_9B = 2183,     /**< September 2021 */
	LAB_10B = 2237,    /**< October 2021 */
};

/** Which image of which WIM something belongs to. */
enum lab_image {
	LAB_IMAGE_ENTERPRISE_G = 1, /**< install.wim 1, "CMGE V2020-L" */
	LAB_IMAGE_ENTERPRISE = 2,   /**< install.wim 2 */
	LAB_IMAGE_PE = 4,           /**< boot.wim 1 */
	LAB_IMAGE_SETUP = 8,        /**< boot.wim 2, what the medium boots */
	LAB_IMAGE_RE = 16,          /**< winre.wim 1, inside install.wim's images */
};

enum lab_size { LAB_SIZE_SMALL, LAB_SIZE_LARGE };

/** What the world is made from; all zero is seed 0, small. */
struct lab_world_options {
	uint64_t seed;
	enum lab_size size;
	const char *files_dir; /**< folder of PE files to add as components, or NULL; borrowed */
	const char *dictionary; /**< file with another dictionary of compressed manifests, or NULL; borrowed */
	const struct lab_system *system; /**< which Windows; NULL: lab_system_client, for which alone there are updates */
	bool dcm;              /**< the base stores its manifests compressed, but for a few, as Windows does */
};

struct lab_world;

/**
 * The world.
 *
 * @param a    all of it lives here
 * @param ret  in the arena
 * Throws IB_ERR_INPUT when the folder of files or the dictionary cannot be read.
 */
bool lab_world_new(struct lab_arena *a, const struct lab_world_options *options, struct lab_world **ret,
		   struct ib_error **err) IB_MUST_CHECK;

/** The dictionary of compressed manifests, which wcp.dll holds; borrowed. */
GBytes *lab_world_dictionary(const struct lab_world *w);

/** Which Windows it is; never NULL; borrowed. */
const struct lab_system *lab_world_system(const struct lab_world *w);

/** Seconds since 1970 of the lab's clock for a release: 2018-09-15 for RTM, patch days after. */
int64_t lab_release_time(unsigned revision);

/** "10.0.<build>.<revision>", in the arena. */
const char *lab_release_version(struct lab_world *w, unsigned revision);

/* ---- components ---- */

/** How many component families there are, numbered from 0. Neither includes deployments. */
size_t lab_world_count(const struct lab_world *w);

/** Number of the family with this name and architecture, SIZE_MAX when there is none. */
size_t lab_world_find(const struct lab_world *w, const char *name, const char *arch);

/**
 * The revision family i has in a release: the last one, not above `release`, in which it changed.
 * @return 0 when the family does not exist yet
 */
unsigned lab_world_revision(const struct lab_world *w, size_t i, unsigned release);

/** Is family i part of the servicing stack, so that the SSU carries it and not the cumulative update? */
bool lab_world_is_stack(const struct lab_world *w, size_t i);

/** Number of the base package that installs family i. */
size_t lab_world_owner(const struct lab_world *w, size_t i);

/** Name of the optional feature of that package that installs family i; NULL: always installed. */
const char *lab_world_feature(const struct lab_world *w, size_t i);

/**
 * Family i at a revision, complete with payload. Any revision will do: the
 * content is that of the last change not above it, the identity carries the
 * revision asked for.
 * @return in the world's arena; the same object each time
 */
const struct lab_component *lab_world_component(struct lab_world *w, size_t i, unsigned revision);

/**
 * A file as a component's family has it in another release.
 * @param c  of any origin; known by name and architecture
 * @return borrowed; NULL: neither family nor file were there then
 */
GBytes *lab_world_file(struct lab_world *w, const struct lab_component *c, const char *name, unsigned release);

/* ---- packages ---- */

/** How many packages the base image has, numbered from 0. */
size_t lab_world_packages(const struct lab_world *w);

/** Number of the base package with this name, SIZE_MAX when there is none. */
size_t lab_world_find_package(const struct lab_world *w, const char *name);

/** Base package p at RTM, with its deployments and components (complete); in the world's arena. */
const struct lab_package *lab_world_package(struct lab_world *w, size_t p);

/** Or-ed enum lab_image: where package p is installed in the base. */
unsigned lab_world_images(const struct lab_world *w, size_t p);

#endif
