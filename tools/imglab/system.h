/**
 * imglab/system: which Windows a world is. One set of components serves all
 * systems; a system is a row of names and numbers, so that a disc can be made
 * that packages of another build and product take for theirs.
 */
#ifndef IMGLAB_SYSTEM_H
#define IMGLAB_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#define LAB_EDITIONS 2

/** One image of install.wim. */
struct lab_edition {
	const char *image;   /**< NAME of the image */
	const char *product; /**< ProductName, and what is displayed */
	const char *id;      /**< EditionID */
};

/** A package that is called otherwise than in the client's world. */
struct lab_rename {
	const char *from;
	const char *to;      /**< NULL: the system does not have it */
	const char *display; /**< NULL: the same as there */
};

struct lab_system {
	const char *word;            /**< of imglab's command line */
	unsigned build;
	const char *branch, *lab;    /**< "rs5_release", "180914-1434" */
	const char *release_id;      /**< "1809" */
	const char *installation;    /**< InstallationType: Client, Server */
	const char *product_type;    /**< in the WIM's XML: WinNT, ServerNT */
	const char *rules;           /**< version of the firewall's rule texts */
	const char *label;           /**< of the disc */
	int64_t released;            /**< seconds since 1970: the clock of the disc */
	struct lab_edition editions[LAB_EDITIONS];
	const struct lab_rename *renames; /**< ended by an entry without `from` */
};

/** The client of 2018, for which `imglab packages` makes updates. */
extern const struct lab_system lab_system_client;

/** The system with this word, NULL when there is none. */
const struct lab_system *lab_system_find(const char *word);

/**
 * How a system calls a package.
 * @param ret_display  set when it also displays another name; may be NULL
 * @return borrowed; NULL: the system does not have it
 */
const char *lab_system_package(const struct lab_system *s, const char *name, const char **ret_display);

#endif
