/*
 * servicing, private: the store's parts and what its files offer each other.
 *
 * An *effect* is one thing a component brings into the live system: a file at a
 * path, a registry value, a service … Effects of two versions can be compared,
 * applied, and taken away; whoever asks "who owns this?" compares effect ids.
 */
#ifndef IB_SERVICING_INTERNAL_H
#define IB_SERVICING_INTERNAL_H

#include "servicing/servicing.h"

/* States of packages and updates (CBS servicing states chart). */
#define STATE_ABSENT 0x00u
#define STATE_STAGED 0x40u
#define STATE_SUPERSEDED 0x50u
#define STATE_INSTALL_PENDING 0x60u
#define STATE_INSTALLED 0x70u
#define STATE_PERMANENT 0x80u

/* Bits of a component key's CF value, and of its f! values. */
#define CF_MANIFESTS_PRESENT 0x4u
#define CF_FILES_PRESENT 0x8u
#define FILE_STAGE_MARK 0x1u
#define FILE_PSFX_DELTAS 0x40u /* forward and reverse differential */
#define FILE_PSFX_NULL 0x80u   /* made from nothing */

/* Limits. A real manifest has at most 3 MB, a catalog 10 MB, a SOFTWARE hive 150 MB. */
#define METADATA_LIMIT (64u << 20)

/** Say what to do about an image whose own files are wrong, unless something better is said already: false. */
bool ib_svc_damaged(struct ib_error **err);
#define HIVE_LIMIT (1024u << 20)

#define PATH_CBS "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing"
#define PATH_WINNERS "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Winners"
#define PATH_NT "Microsoft\\Windows NT\\CurrentVersion"
#define PATH_COMPONENTS "DerivedData\\Components"
#define PATH_DEPLOYMENTS "CanonicalData\\Deployments"
#define PATH_CATALOGS "CanonicalData\\Catalogs"
#define DIR_WINSXS "Windows\\WinSxS"
#define DIR_MANIFESTS "Windows\\WinSxS\\Manifests"
#define DIR_CATALOGS "Windows\\WinSxS\\Catalogs"
#define DIR_PACKAGES "Windows\\servicing\\Packages"
#define DIR_CATROOT "Windows\\System32\\CatRoot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
#define DIR_TASKS "Windows\\System32\\Tasks"

struct ib_model;

struct ib_store {
	struct ib_wim *wim; /* borrowed */
	struct ib_image *image;
	unsigned index;
	uint64_t time;
	struct ib_hive *hives[IB_HIVE_COUNT];
	struct ib_store_info info;
	char *arch, *edition, *product; /* behind info */
	char *drive;                    /* of the installed system, "C:" */
	unsigned control_set;           /* Select\Default */
	GPtrArray *notes;               /* struct ib_note */
	GHashTable *noted;              /* "id\nsubject\ntext" */
	struct ib_model *model;         /* loaded on first use */
	GPtrArray *packages;            /* struct ib_installed, on first use; dropped when the state changes */
	GHashTable *mums;               /* folded package id -> struct ib_mum */
	GHashTable *descriptors;        /* SDDL text -> GBytes */
	GBytes *dictionary;             /* of the manifests; NULL: none, or not looked for yet */
	bool dictionary_known;
	struct ib_stock *stock;         /* borrowed; NULL: none */
	GHashTable *siblings;           /* folded folder -> GBytes: descriptor of what lies in it */
};

/* ---- store.c ---- */

/* Read version, stack and counts again after a change. */
bool ib_svc_refresh(struct ib_store *s, struct ib_error **err) IB_MUST_CHECK;

/* Throws IB_ERR_INPUT when the image was marked unserviceable before it was opened. */
bool ib_svc_check_serviceable(const struct ib_store *s, struct ib_error **err) IB_MUST_CHECK;

/* ---- hives.c ---- */

bool ib_svc_hive_present(const struct ib_store *s, enum ib_hive_id id);

/* ---- notes.c ---- */

void ib_svc_notes_init(struct ib_store *s);
/* Keep a note, once; id is a literal. */
void ib_svc_note(struct ib_store *s, const char *id, const char *subject, const char *fmt, ...) IB_PRINTF(4, 5);
/* A note for each element of a winner's manifest that nobody here carries out. */
void ib_svc_note_elements(struct ib_store *s, const struct ib_manifest *m);

/* ---- paths.c ---- */

/* How macros become paths. */
struct ib_macro_scope {
	const char *image_arch;     /* amd64, arm64, x86 */
	const char *component_arch; /* amd64, wow64, x86, msil …; NULL: the image's */
	const char *drive;          /* "C:" */
	const struct ib_manifest *manifest; /* for string tables; may be NULL */
};
/* Whether a folder, key or drive of this name can come from a macro or from where 32-bit programs look, not from a text. */
bool ib_svc_name_is_made(const char *name);
/* A destination: relative to the image's root, '\' between names, checked for "..". Owned by the caller. */
bool ib_svc_path(const struct ib_macro_scope *scope, const char *text, char **ret, struct ib_error **err) IB_MUST_CHECK;
/* Macros in a text (registry value, command): paths with the drive. Owned by the caller. */
bool ib_svc_expand(const struct ib_macro_scope *scope, const char *text, char **ret, struct ib_error **err)
	IB_MUST_CHECK;
/* The image path of a command line or service binary as Windows writes it; NULL when it names none. g_free. */
char *ib_svc_command_path(const struct ib_store *s, const char *command);
struct ib_macro_scope ib_svc_scope(const struct ib_store *s, const struct ib_manifest *m);

/* ---- regpath.c ---- */

/* A place in a hive. */
struct ib_reg_place {
	enum ib_hive_id hive;
	char *path; /* below the hive's root */
};
void ib_svc_reg_place_clear(struct ib_reg_place *p);
/* What decides where a registry path lies. */
struct ib_reg_scope {
	const char *image_arch;
	const char *component_arch; /* NULL: the image's */
	unsigned control_set;
	bool drivers_hive;          /* DriverDatabase lies in a hive of its own */
};
/*
 * Full registry path ("HKEY_LOCAL_MACHINE\…", "HKLM\…", "SOFTWARE\…") to hive and path.
 * ret->path is NULL for what is not on disk or not in these hives (HARDWARE, SAM …).
 */
bool ib_svc_reg_path(const struct ib_reg_scope *scope, const char *text, struct ib_reg_place *ret,
		     struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_reg_scope(struct ib_store *s, const char *component_arch, struct ib_reg_scope *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- regvalues.c ---- */

/* Type and data of a manifest's registry value. macros: applied to texts. *ret_data: g_byte_array_unref. */
bool ib_svc_value_data(const struct ib_registry_value *v, const struct ib_macro_scope *macros, uint32_t *ret_type,
		       GByteArray **ret_data, struct ib_error **err) IB_MUST_CHECK;
/* Write it to a key, as its operationHint and mutability say. */
bool ib_svc_value_apply(struct ib_hive *hive, struct ib_key *key, const struct ib_registry_value *v,
			const struct ib_macro_scope *macros, struct ib_error **err) IB_MUST_CHECK;
/* "a","b" to strings (g_strfreev); IB_ERR_INPUT when a quote does not close. */
bool ib_svc_multi_parse(const char *text, char ***ret, struct ib_error **err) IB_MUST_CHECK;
/* Add or take away a string of a MULTI_SZ value; the value goes with its last string. */
bool ib_svc_multi_add(struct ib_hive *hive, struct ib_key *key, const char *name, const char *text,
		      struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_multi_drop(struct ib_hive *hive, struct ib_key *key, const char *name, const char *text, bool *ret_dropped,
		       struct ib_error **err) IB_MUST_CHECK;

/* ---- services.c ---- */

/* What a word of serviceData means in the registry. @return false for an unknown word */
bool ib_svc_service_start(const char *word, uint32_t *ret, bool *ret_delayed);
bool ib_svc_service_type(const char *word, uint32_t *ret);
bool ib_svc_service_error(const char *word, uint32_t *ret);
/* SERVICE_FAILURE_ACTIONS as the registry holds it; NULL when the node has none. g_byte_array_unref. */
bool ib_svc_failure_actions(const struct ib_xml_node *failure, GByteArray **ret, struct ib_error **err) IB_MUST_CHECK;
/* Write a service. old: the same service of the version replaced (a start type changed since stays), or NULL. */
bool ib_svc_service_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_service *sv,
			  const struct ib_service *old, struct ib_error **err) IB_MUST_CHECK;
/* Remove a service from all control sets; *ret_removed false when there was none. */
bool ib_svc_service_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err) IB_MUST_CHECK;
/* svchost group membership. */
bool ib_svc_svchost_set(struct ib_store *s, const char *group, const char *service, bool on, bool *ret_changed,
			struct ib_error **err) IB_MUST_CHECK;
/* Calls fn for the root of each control set of SYSTEM. */
bool ib_svc_control_sets(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- firewall.c, tasks.c, events.c ---- */

bool ib_svc_firewall_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *rule,
			   struct ib_error **err) IB_MUST_CHECK;
/* Text of a rule's value; g_free. */
bool ib_svc_firewall_text(const struct ib_macro_scope *macros, const struct ib_xml_node *rule, const char *version,
			  char **ret, struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_firewall_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err)
	IB_MUST_CHECK;
/* Names of rules that match a pattern ('*'), each once, appended: char *. */
bool ib_svc_firewall_names(struct ib_store *s, const char *pattern, GPtrArray *names, struct ib_error **err)
	IB_MUST_CHECK;
/* A task's path, "CMIT\UpdateAgent\Check"; g_free; NULL when it has no URI. */
char *ib_svc_task_path(const struct ib_xml_node *task);
bool ib_svc_task_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *task,
		       struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_task_remove(struct ib_store *s, const char *path, bool *ret_removed, struct ib_error **err) IB_MUST_CHECK;
/* Event providers and channels of a manifest's instrumentation: const struct ib_xml_node *. g_ptr_array_unref. */
GPtrArray *ib_svc_event_nodes(const struct ib_manifest *m, const char *element);
bool ib_svc_publisher_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *provider,
			    struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_publisher_remove(struct ib_store *s, const char *guid, bool *ret_removed, struct ib_error **err)
	IB_MUST_CHECK;
bool ib_svc_channel_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- environment.c ---- */

/*
 * Put a folder into the system's search path, or take it out of that of all control sets. A folder that is there in any
 * spelling counts as the same; all else of the value stays as it is.
 */
bool ib_svc_search_path_add(struct ib_store *s, const char *folder, bool first, struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_search_path_drop(struct ib_store *s, const char *folder, bool *ret_dropped, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- migration.c ---- */

/*
 * List a component's manifest among those with rules for an in-place upgrade, or no longer. The image's own list says
 * how: without one, or when it is not understood, a note says so. *ret_changed: whether the list changed.
 */
bool ib_svc_migration_list(struct ib_store *s, const char *keyform, bool on, bool *ret_changed, struct ib_error **err)
	IB_MUST_CHECK;
/* The same on a text: *ret NULL when the text is not understood, else owned by the caller; the text itself: no change. */
char *ib_svc_migration_edit(const char *text, const char *keyform, bool on);

/* ---- model.c ---- */

struct ib_family;

/* One version of a component in the store. */
struct ib_component {
	struct ib_identity id;
	char *keyform;               /* long, lower case */
	struct ib_family *family;    /* borrowed */
	struct ib_manifest *manifest; /* on first use; NULL */
	bool installed;              /* listed under Winners */
	bool unreadable;             /* the store has no manifest of it */
};
struct ib_family {
	char *keyform;
	GPtrArray *components; /* struct ib_component *, owned, versions ascending */
};
struct ib_model {
	GPtrArray *families;     /* struct ib_family *, owned, by key form */
	GHashTable *by_keyform;  /* folded long key form -> struct ib_component */
	GHashTable *by_family;   /* family key form -> struct ib_family */
};
bool ib_svc_model(struct ib_store *s, struct ib_model **ret, struct ib_error **err) IB_MUST_CHECK;
void ib_svc_model_free(struct ib_model *m);
/* By long key form without case, or NULL. */
struct ib_component *ib_svc_component(const struct ib_model *m, const char *keyform);
/* Put a component into the model (one that is there already is returned as it is). */
struct ib_component *ib_svc_model_add(struct ib_model *m, const struct ib_identity *id);
void ib_svc_model_drop(struct ib_model *m, struct ib_component *c);
/*
 * Whether a component competes with a version of its family: side by side, versions of one major.minor do; of a
 * component that is nonSxS there is only ever one in the live system, whatever its version.
 */
bool ib_svc_same_line(const struct ib_identity *id, const struct ib_version *like);
/* Highest installed version of those `like` competes with, or NULL. */
struct ib_component *ib_svc_winner(const struct ib_family *f, const struct ib_version *like);
/* All winners, by family: struct ib_component *. g_ptr_array_unref. */
GPtrArray *ib_svc_winners(const struct ib_model *m);
/* Identity text ("Name, Culture=neutral, …") to an identity. @return false when it is not one */
bool ib_svc_identity_parse(const char *text, size_t len, struct ib_identity *ret);

/* ---- manifests.c ---- */

/*
 * Its manifest, from the image; *ret NULL (and a note) when the store has none. One that cannot be unpacked is
 * IB_ERR_INPUT, one that is not the component key's IB_ERR_VERIFY.
 */
bool ib_svc_manifest(struct ib_store *s, struct ib_component *c, const struct ib_manifest **ret, struct ib_error **err)
	IB_MUST_CHECK;
/* The same without keeping it: free with ib_manifest_free. */
bool ib_svc_manifest_read(struct ib_store *s, struct ib_component *c, struct ib_manifest **ret, struct ib_error **err)
	IB_MUST_CHECK;
/* The same without a look at the component key. */
bool ib_svc_manifest_read_unchecked(struct ib_store *s, struct ib_component *c, struct ib_manifest **ret,
				    struct ib_error **err) IB_MUST_CHECK;
typedef bool (*ib_manifest_fn)(struct ib_component *c, const struct ib_manifest *m, void *data, struct ib_error **err);
struct ib_mentions;
/*
 * Read the manifests of components (struct ib_component *) on all processors and hand them to fn, on this thread, in
 * their order; those the store lacks are left out (and noted), and those that cannot bring any of `mentions` (NULL: all
 * are read). A manifest lives for its call only. fn changes neither the hives nor the list. fn NULL: they are kept in
 * their components.
 */
bool ib_svc_manifests_each(struct ib_store *s, const GPtrArray *components, const struct ib_mentions *mentions,
			   ib_manifest_fn fn, void *data, struct ib_error **err) IB_MUST_CHECK;

/* ---- mention.c ---- */

/* What to look for in manifests: effect ids, and ids of folders and keys (may be NULL). ib_svc_mentions_clear. */
struct ib_mentions *ib_svc_mentions_new(GHashTable *ids, GHashTable *folders);
void ib_svc_mentions_clear(struct ib_mentions **m);
/* Whether the component of this key form and manifest may bring one of them; never false when it does. Any thread. */
bool ib_svc_mentions_any(const struct ib_mentions *m, const char *keyform, GBytes *text);

/* ---- effects.c ---- */

enum ib_effect_kind {
	EFFECT_FILE, EFFECT_DIRECTORY, EFFECT_KEY, EFFECT_VALUE, EFFECT_SERVICE, EFFECT_SVCHOST, EFFECT_FIREWALL,
	EFFECT_TASK, EFFECT_PUBLISHER, EFFECT_CHANNEL, EFFECT_SEARCH_PATH,
	EFFECT_MIGRATION
};
struct ib_effect {
	enum ib_effect_kind kind;
	bool whole;           /* asked for by name: a key or folder goes with all below it */
	enum ib_hive_id hive; /* KEY, VALUE */
	const char *path;     /* FILE, DIRECTORY: in the image; KEY, VALUE: in the hive; SVCHOST: group; TASK: path */
	const char *name;     /* VALUE, SERVICE, SVCHOST (service), FIREWALL, PUBLISHER (guid), CHANNEL, SEARCH_PATH (folder),
			       MIGRATION (key form) */
	const char *id;       /* equal for the same thing, whoever brings it */
	const void *source;   /* struct ib_file, ib_directory, ib_registry_key, ib_registry_value, ib_service, XML node */
};
void ib_svc_effect_free(void *effect);
/* An effect of its own, without source; hive counts for KEY and VALUE. Owned by the caller. */
struct ib_effect *ib_svc_effect_new(enum ib_effect_kind kind, enum ib_hive_id hive, const char *path, const char *name);
/* All effects of a manifest: struct ib_effect *, in the manifest's order. g_ptr_array_unref. */
bool ib_svc_effects(struct ib_store *s, const struct ib_manifest *m, GPtrArray **ret, struct ib_error **err)
	IB_MUST_CHECK;
/* The id of a thing; owned by the caller (g_free). */
char *ib_svc_effect_id(enum ib_effect_kind kind, enum ib_hive_id hive, const char *path, const char *name);
/* An effect in words ("file 'x'"); owned by the caller (g_free). */
char *ib_svc_effect_text(const struct ib_effect *e);
/* Set of ids (GHashTable of the effects' own strings) of an effect list. g_hash_table_unref. */
GHashTable *ib_svc_effect_set(const GPtrArray *effects);
const char *ib_svc_hive_name(enum ib_hive_id id);

/* ---- leaving.c ---- */

/* What the changes of winners come to. */
struct ib_changes {
	GPtrArray *gone;     /* struct ib_effect *: an old winner's, which the new one of its family has not */
	GHashTable *brought; /* ids of all that new winners bring */
};
/* Take out of the image what is gone and no other winner brings, last first, and what is empty then and nobody's. */
bool ib_svc_leave(struct ib_store *s, const GArray *winners, const struct ib_changes *ch, struct ib_install_summary *sum,
		  struct ib_error **err) IB_MUST_CHECK;

/* ---- owners.c ---- */

/* Who owns things: which winners bring them. */
struct ib_owner_query {
	GHashTable *ids;      /* effect ids asked for */
	GHashTable *folders;  /* ids of DIRECTORY and KEY effects: whatever lies below counts too; may be NULL */
	GHashTable *without;  /* struct ib_component *: winners that do not count; may be NULL */
};
/* id -> key form of the first owner (by family). Only ids that have one. g_hash_table_unref. */
bool ib_svc_owners(struct ib_store *s, const struct ib_owner_query *q, GHashTable **ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- storekeys.c: COMPONENTS ---- */

struct ib_key *ib_svc_deployment_key(struct ib_hive *components, const char *short_form);
struct ib_key *ib_svc_component_key(struct ib_hive *components, const char *keyform);
/* References of a deployment with a prefix "p!", "s!", "i!": char *. g_ptr_array_unref. */
GPtrArray *ib_svc_deployment_refs(const struct ib_key *deployment, const char *prefix);
/* Short forms of the deployments a component belongs to: char *. g_ptr_array_unref. */
GPtrArray *ib_svc_component_deployments(const struct ib_key *component);
/* Set or take away a reference value. */
bool ib_svc_ref_set(struct ib_hive *components, struct ib_key *deployment, const char *prefix, const char *package_id,
		    const char *update, struct ib_error **err) IB_MUST_CHECK;
void ib_svc_ref_drop(struct ib_hive *components, struct ib_key *deployment, const char *prefix, const char *ref);
/* Create or complete the keys of a deployment, a component, a catalog. */
bool ib_svc_deployment_make(struct ib_hive *components, const struct ib_manifest *m, const char *thumbprint,
			    struct ib_key **ret, struct ib_error **err) IB_MUST_CHECK;
/* bits: struct ib_file * -> more bits of its f! value; may be NULL. */
bool ib_svc_component_make(struct ib_hive *components, const struct ib_manifest *m, bool payload, GHashTable *bits,
			   struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_component_link(struct ib_hive *components, const char *keyform, const char *deployment,
			   struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_catalog_link(struct ib_hive *components, const char *thumbprint, const char *deployment,
			 struct ib_error **err) IB_MUST_CHECK;
/* Caches that the stack rebuilds: VersionedIndex, ApplicabilityEvaluationCache. */
bool ib_svc_drop_caches(struct ib_store *s, struct ib_error **err) IB_MUST_CHECK;

/* ---- winners.c ---- */

/* The highest installed version with the major.minor of `like`, or NULL. */
const struct ib_component *ib_svc_group_top(const struct ib_family *f, const struct ib_version *like);

/* Write Winners\<family> from the model (all versions installed, the highest of each major.minor), or remove it. */
bool ib_svc_winners_write(struct ib_store *s, const struct ib_family *f, struct ib_error **err) IB_MUST_CHECK;

/* ---- cbs.c ---- */

/* What to write for a package. */
struct ib_package_state {
	const struct ib_mum *mum;
	uint32_t state;
	const char *owner;   /* package id of who brings it; its own for a root */
	const char *location; /* InstallLocation */
	bool hidden;
};
bool ib_svc_package_write(struct ib_store *s, const struct ib_package_state *p, struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_package_key(struct ib_store *s, const char *package_id, bool make, struct ib_key **ret,
			struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_update_state(struct ib_store *s, const char *package_id, const char *update, uint32_t state,
			 struct ib_error **err) IB_MUST_CHECK;
/* Older versions of the package's family become superseded; PackageIndex follows. */
bool ib_svc_supersede(struct ib_store *s, const struct ib_mum *mum, struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_package_remove(struct ib_store *s, const char *package_id, struct ib_error **err) IB_MUST_CHECK;
/* Forget the list of packages: the state changed. */
void ib_svc_packages_changed(struct ib_store *s);
/* The .mum of an installed package; *ret NULL when the image does not have it. Borrowed. */
bool ib_svc_mum(struct ib_store *s, const char *package_id, const struct ib_mum **ret, struct ib_error **err)
	IB_MUST_CHECK;
/* Split a package id; ret owned (g_strfreev), 5 parts. NULL when it is not one. */
char **ib_svc_package_parts(const char *package_id);
/* The id with its version left out: "name~token~arch~lang~"; g_free. */
char *ib_svc_package_family(const char *package_id);

/* ---- applicability.c ---- */

/* Whether a found version satisfies a wanted one under the parent's comparisons. */
bool ib_svc_version_matches(const struct ib_parent *parent, const struct ib_version *wanted,
			    const struct ib_version *found);
/* Whether a parent element is satisfied by the packages in the image or in `also` (const struct ib_mum *, may be NULL). */
bool ib_svc_parent_met(const GPtrArray *installed, const GPtrArray *also, const struct ib_parent *parent);
bool ib_svc_mum_applies(struct ib_store *s, const struct ib_mum *mum, const GPtrArray *also, bool *ret,
			struct ib_error **err) IB_MUST_CHECK;

/* The same against a list of packages (struct ib_installed) alone. */
bool ib_svc_parents_met(const GPtrArray *installed, const GPtrArray *also, const struct ib_mum *mum);
/* Throws IB_ERR_NOT_APPLICABLE or IB_ERR_UP_TO_DATE when a package does not apply. scratch: cleared by the caller. */
bool ib_svc_check_applies(struct ib_store *s, const struct ib_package *p, struct ib_applicability_result *scratch,
			  struct ib_error **err) IB_MUST_CHECK;

/* ---- plan.c ---- */

struct ib_plan_update {
	const struct ib_update *update;
	uint32_t state;
};
struct ib_plan_package {
	const struct ib_mum *mum;
	char *owner;
	bool hidden;
	uint32_t state;
	GArray *updates; /* struct ib_plan_update */
};
/* A deployment as one update of one package brings it. */
struct ib_plan_deployment {
	const struct ib_plan_package *package;
	const char *update;
	const struct ib_manifest *manifest; /* of the package, or of the store */
	char *short_form;
	bool install;      /* else only staged */
};
/* A component (deployments are components too). */
struct ib_plan_component {
	const struct ib_manifest *manifest;
	bool install;
	bool stored;             /* the store has it already */
	GPtrArray *deployments;  /* char *: short forms of those that bring it, sorted */
};
/* A family whose winner changes. */
struct ib_plan_winner {
	const struct ib_manifest *now;  /* NULL: goes without successor */
	struct ib_component *before;    /* NULL: a new family */
};
struct ib_plan_install {
	GPtrArray *packages;    /* struct ib_plan_package, the root first */
	GPtrArray *deployments; /* struct ib_plan_deployment */
	GPtrArray *components;  /* struct ib_plan_component, by key form */
	GArray *winners;        /* struct ib_plan_winner, by key form of `now` */
	GHashTable *by_keyform; /* folded -> struct ib_plan_component */
};
bool ib_svc_plan(struct ib_store *s, const struct ib_package *p, struct ib_plan_install *plan, struct ib_error **err)
	IB_MUST_CHECK;
void ib_svc_plan_clear(struct ib_plan_install *plan);
/* Count what of a component's effects is new to the one before it (ib_svc_effect_set() of its effects, or NULL). */
void ib_svc_count_new(const GPtrArray *now, GHashTable *before, struct ib_install_summary *ret);
/* Read and keep the manifests of all old winners (struct ib_plan_winner). */
bool ib_svc_read_before(struct ib_store *s, const GArray *winners, struct ib_error **err) IB_MUST_CHECK;
/* Count what a change of winners means into the summary. */
bool ib_svc_plan_count(struct ib_store *s, const GArray *winners, struct ib_install_summary *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- stage.c: files of the store ---- */

/* A descriptor for a new file in a folder of the store: as its siblings have; borrowed, may be NULL. */
GBytes *ib_svc_sibling_security(struct ib_store *s, const char *folder);
/*
 * Parsed SDDL, cached; borrowed. text NULL gives NULL. Owner and group that a text leaves out are those of what the
 * installer makes: nothing in an image is without, and Windows takes no hive with a key that is.
 */
bool ib_svc_descriptor(struct ib_store *s, const char *sddl, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;
/* Put a blob that the WIM has at a path, making the folder. */
bool ib_svc_put_blob(struct ib_store *s, const char *path, const uint8_t *hash, struct ib_error **err) IB_MUST_CHECK;
/* Put a payload file (its stream is read) at a path of the store. */
bool ib_svc_put_payload(struct ib_store *s, const struct ib_payload *p, const char *path, struct ib_error **err)
	IB_MUST_CHECK;
/* Put bytes at a path, making the folder. */
bool ib_svc_put_bytes(struct ib_store *s, const char *path, GBytes *bytes, struct ib_error **err) IB_MUST_CHECK;
bool ib_svc_mkdir(struct ib_store *s, const char *path, GBytes *security, struct ib_error **err) IB_MUST_CHECK;
/* Remove a path when it is there. */
bool ib_svc_remove_path(struct ib_store *s, const char *path, bool *ret_removed, struct ib_error **err) IB_MUST_CHECK;
/* Remove a folder, and its parents up to `stop`, as long as they are empty. */
bool ib_svc_remove_empty(struct ib_store *s, const char *folder, const char *stop, struct ib_error **err) IB_MUST_CHECK;
/* Manifests, catalogs, COMPONENTS keys of the plan: all but payload. bits: as for ib_svc_component_make(). */
bool ib_svc_stage_metadata(struct ib_store *s, const struct ib_plan_install *plan, GHashTable *bits,
			   struct ib_error **err) IB_MUST_CHECK;
/* Components of the plan into WinSxS: payload (streamed from p), manifests, catalogs, COMPONENTS keys. */
bool ib_svc_stage(struct ib_store *s, struct ib_package *p, const struct ib_plan_install *plan,
		  struct ib_install_summary *sum, struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

/* ---- kept.c: differentials that stay ---- */

/* Where one lies; kind: FORWARD or REVERSE. Owned by the caller (g_free). */
char *ib_svc_kept_path(const struct ib_store *s, const char *package_id, const char *keyform, enum ib_payload_kind kind,
		       const char *file);
/* Folders of updates that keep some, the newest first: char *. g_ptr_array_unref. */
GPtrArray *ib_svc_kept_folders(struct ib_store *s);
/* What older updates keep for components that the package brings too, and the store has: kept by this one as well. */
bool ib_svc_kept_carry(struct ib_store *s, const struct ib_package *p, const struct ib_plan_install *plan,
		       struct ib_error **err) IB_MUST_CHECK;

/* ---- bases.c ---- */

/* ib_store_bases_new() for what a plan needs of the package; plan NULL: for all of it. */
bool ib_svc_bases_new(struct ib_store *s, const struct ib_package *p, const struct ib_plan_install *plan,
		      struct ib_bases **ret, struct ib_error **err) IB_MUST_CHECK;
/* Where complete files came from. */
void ib_svc_bases_count(const struct ib_bases *b, struct ib_install_summary *ret);
/* Whether these bytes are the file, by its manifest's hash. */
bool ib_svc_is_content(const struct ib_file *f, GBytes *bytes);

/* ---- stock.c ---- */

/* A file with this hash may be asked for; to be said before. */
void ib_svc_stock_want(struct ib_stock *s, const uint8_t *sha256);
/* *ret NULL: nobody has it. Any thread. */
bool ib_svc_stock_find(struct ib_stock *s, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
		       struct ib_error **err) IB_MUST_CHECK;

/* ---- project.c ---- */

/*
 * Carry out and count changes of winners (struct ib_plan_winner): all new ones are projected, then what old ones had and
 * nobody has any more goes. The model's `installed` marks and Winners are already as they shall be.
 */
bool ib_svc_project(struct ib_store *s, const GArray *winners, struct ib_install_summary *sum, struct ib_error **err)
	IB_MUST_CHECK;
/* Whether a key stays although it is empty: Windows expects it. */
bool ib_svc_standing_key(enum ib_hive_id hive, const char *path);
/* Take one thing away; *ret_removed false when it was not there. */
bool ib_svc_effect_remove(struct ib_store *s, const struct ib_effect *e, bool *ret_removed, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- reconcile.c ---- */

/*
 * Mark components (struct ib_component *) installed or not, as their deployments' i! values say, and write Winners.
 * @param without  components (struct ib_component *) that count as not installed whatever refers to them; may be NULL
 * @param ret      GArray of struct ib_plan_winner: the changes of winners, for ib_svc_project. g_array_unref
 */
bool ib_svc_reconcile(struct ib_store *s, const GPtrArray *components, GHashTable *without, GArray **ret,
		      struct ib_error **err) IB_MUST_CHECK;
/* Components that a deployment brings, itself included: struct ib_component *. g_ptr_array_unref. */
bool ib_svc_deployment_components(struct ib_store *s, const struct ib_identity *deployment, GPtrArray **ret,
				  struct ib_error **err) IB_MUST_CHECK;

/* ---- feature_payload.c ---- */

/* Throws IB_ERR_INPUT naming file and package when the store lacks payload of a new winner (struct ib_plan_winner). */
bool ib_svc_check_payload(struct ib_store *s, const GArray *winners, struct ib_error **err) IB_MUST_CHECK;
/* Whether a file is missing that turning the feature on would need. */
bool ib_svc_feature_lacks_payload(struct ib_store *s, const char *feature, bool *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- traces.c ---- */

/* Whether a name says something about a component by itself: long enough, not a common word, no path. */
bool ib_svc_trace_worth(const char *text);
/*
 * Names of a service in the image: its own, its display name, its program's and that of the program's folder.
 * *ret NULL: there is no such service; else g_strfreev.
 */
bool ib_svc_service_traces(struct ib_store *s, const char *service, char ***ret, struct ib_error **err) IB_MUST_CHECK;
/* ---- driver_verify.c ---- */

/* Receives a finding: a stable word, what it is about, a sentence. */
typedef void (*ib_svc_found_fn)(void *data, const char *id, const char *subject, const char *text);
/* Whether each driver package that was added is whole. anchors NULL: catalogs are only looked for. */
bool ib_svc_verify_drivers(struct ib_store *s, const struct ib_anchors *anchors, ib_svc_found_fn found, void *data,
			   unsigned *ret_count, struct ib_error **err) IB_MUST_CHECK;

/* ---- remove_match.c ---- */

/* What a removal finds in the image. */
struct ib_removal_match {
	GPtrArray *packages;     /* char *: package ids, sorted */
	GPtrArray *deployments;  /* char *: short forms that only they refer to, in the hive's order */
	GPtrArray *components;   /* struct ib_component *: go, by key form */
	GHashTable *component_set;
	GPtrArray *effects;      /* struct ib_effect *: what the components brought, and what the removal names */
	bool cut;                /* a package that stays refers to a component that goes */
};
bool ib_svc_removal_match(struct ib_store *s, const struct ib_removal *r, struct ib_removal_match *m,
			  struct ib_error **err) IB_MUST_CHECK;
void ib_svc_removal_match_clear(struct ib_removal_match *m);
/* With m->packages given: the deployments and components that nobody else refers to. Zeroed otherwise. */
bool ib_svc_removal_match_packages(struct ib_store *s, struct ib_removal_match *m, struct ib_error **err) IB_MUST_CHECK;
/* Refuse packages (char *, ids) that another one, which stays, has as its only parent; parts of updates do not count. */
bool ib_svc_check_needed(struct ib_store *s, const GPtrArray *packages, struct ib_error **err) IB_MUST_CHECK;
/* Whether a package id is meant by "Name", "Name~*" or a full id with '*'. */
bool ib_svc_package_matches(const char *pattern, const char *package_id);

/* ---- remove.c ---- */

/* Ids of the folders or keys above a thing (added to ids, g_free): they may be empty when it is gone. */
void ib_svc_ask_above(const struct ib_effect *e, GHashTable *ids);
/* Take away folders and keys above a thing that went, as far as they are empty, nobody's, and not Windows' own. */
bool ib_svc_climb(struct ib_store *s, const struct ib_effect *e, GHashTable *owners, struct ib_error **err)
	IB_MUST_CHECK;

/* All references of the match's packages, out of all deployments. */
bool ib_svc_removal_drop_references(struct ib_store *s, const struct ib_removal_match *m, struct ib_error **err)
	IB_MUST_CHECK;
/* The match's deployments, components and packages out of the store; m->components is empty then. */
bool ib_svc_removal_drop_store(struct ib_store *s, struct ib_removal_match *m, struct ib_removal_summary *sum,
			       struct ib_error **err) IB_MUST_CHECK;
/* One component: folder, manifest, key. The model forgets it, c is gone. */
bool ib_svc_component_drop(struct ib_store *s, struct ib_component *c, struct ib_error **err) IB_MUST_CHECK;
/* Deployments by short form (char *): their keys, the c! links to them, catalogs that are left without any. */
bool ib_svc_deployments_drop(struct ib_store *s, const GPtrArray *short_forms, struct ib_error **err) IB_MUST_CHECK;

/* ---- empty.c ---- */

/* The version of an empty winner: above any that Windows will ever have. */
bool ib_svc_is_empty_winner(const struct ib_identity *id);
/* Whether a component is an empty winner, and its manifest holds nothing indeed. */
bool ib_svc_brings_nothing(struct ib_store *s, struct ib_component *c);
/* Install an empty winner for each component (struct ib_component *, winners of their families) in a package of the name. */
bool ib_svc_empty_winners(struct ib_store *s, const char *name, const GPtrArray *components, char **ret_package_id,
			  struct ib_error **err) IB_MUST_CHECK;

/* ---- install.c ---- */

/* Carry out a plan whose payload lies in the store already (or that has none): store, winners, projection, packages. */
bool ib_svc_install_plan(struct ib_store *s, const struct ib_plan_install *plan, struct ib_install_summary *sum,
			 struct ib_error **err) IB_MUST_CHECK;

#endif
