/**
 * imglab/keyform: the names Windows derives from identities, computed the lab's
 * own way. imgbuild has code of its own; tests hold both against the same table.
 */
#ifndef IMGLAB_KEYFORM_H
#define IMGLAB_KEYFORM_H

#include "model.h"

/** The 64-bit hash of a lower-cased text. */
uint64_t lab_hash_text(const char *text);

/** "amd64_name_token_version_culture_hash"; owned by the caller (g_free), like all below. */
char *lab_key_long(const struct lab_identity *id);
/** The same without version: the key of Winners. */
char *lab_key_family(const struct lab_identity *id);
/** "name_token_version_hash": the key of Deployments. */
char *lab_key_short(const struct lab_identity *id);
/** "Name~token~arch~culture~version", culture empty when neutral. */
char *lab_package_id(const struct lab_identity *id);
/** "Name, Culture=neutral, Version=..., ...": the identity value in COMPONENTS. */
char *lab_identity_text(const struct lab_identity *id);
/** Value name of a file in COMPONENTS: "f!name", long names hashed. */
char *lab_value_file(const char *file);
/** "CBS_..._hash" of a package reference ("<package id>.<update>"), to stand behind p!, s! or i!. */
char *lab_value_reference(const char *reference);

/**
 * Hold this code against a table of known names.
 * @param csv  text of keyform_vectors.csv
 * @return how many rows differ; prints each to stderr
 */
unsigned lab_keyform_check(const char *csv, unsigned *ret_rows);

#endif
