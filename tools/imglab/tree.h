/**
 * imglab/tree: the file system of one image as a tree in memory, and as an NTFS
 * volume in a file. Paths are relative to the image's root, with backslashes,
 * compared without ASCII case.
 */
#ifndef IMGLAB_TREE_H
#define IMGLAB_TREE_H

#include "base/base.h"

#include "model.h"

/** A file's body; several names may share it. */
struct lab_inode {
	GBytes *bytes;           /**< NULL for folders */
	const char *sddl;        /**< borrowed; never NULL */
	uint32_t attributes;     /**< Windows attributes, without the one for folders */
	const char *stream_name; /**< one alternate stream, or NULL */
	GBytes *stream;
	GBytes *reparse;         /**< complete reparse buffer, or NULL */
	uint64_t mref;           /**< used while writing the volume */
};

/** A name. */
struct lab_node {
	const char *name;
	const char *short_name;  /**< 8.3 name or NULL */
	struct lab_inode *inode;
	GPtrArray *children;     /**< struct lab_node; NULL for files */
};

struct lab_tree;

/** An empty tree; free with lab_tree_free(). */
struct lab_tree *lab_tree_new(void);
/** Free; NULL is fine. */
void lab_tree_free(struct lab_tree *t);
/** The folder, made with its parents when missing. Aborts when a file has that name. */
struct lab_inode *lab_tree_dir(struct lab_tree *t, const char *path);
/** A new file; parents are made. bytes: a reference is taken. @return NULL when the name is taken */
struct lab_inode *lab_tree_file(struct lab_tree *t, const char *path, GBytes *bytes);
/** One more name for a file. @return false when the name is taken */
bool lab_tree_link(struct lab_tree *t, const char *path, struct lab_inode *inode);
/** Let the tree hold a reference that is already counted: it is dropped with the tree. */
void lab_tree_keep(struct lab_tree *t, GBytes *bytes);
/** The name, or NULL. */
struct lab_node *lab_tree_find(const struct lab_tree *t, const char *path);
/** Names in the tree, the root not counted. */
size_t lab_tree_count(const struct lab_tree *t);

/**
 * Write the tree as an NTFS volume in a regular file, by mkntfs and libntfs-3g:
 * no mount, no root. All times are `epoch`.
 *
 * Throws IB_ERR_SYSTEM when mkntfs is missing or the volume cannot be written.
 */
bool lab_tree_write(struct lab_tree *t, const char *volume, int64_t epoch, struct ib_error **err) IB_MUST_CHECK;

#endif
