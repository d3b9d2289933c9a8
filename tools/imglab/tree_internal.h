/** imglab/tree, inside. */
#ifndef IMGLAB_TREE_INTERNAL_H
#define IMGLAB_TREE_INTERNAL_H

#include "tree.h"

struct lab_tree {
	struct lab_arena *arena;
	GHashTable *nodes; /* lower-case path -> struct lab_node */
	struct lab_node *root;
};

#endif
