/* build, private: the state of one run and its stages. */
#ifndef IB_BUILD_INTERNAL_H
#define IB_BUILD_INTERNAL_H

#include <string.h>

#include <json-glib/json-glib.h>

#include "build/build.h"
#include "digest/digest.h"
#include "media/media.h"
#include "metadata/metadata.h"
#include "driver/driver.h"
#include "package/package.h"
#include "profile/profile.h"
#include "publish/publish.h"
#include "report/report.h"
#include "servicing/servicing.h"
#include "trust/trust.h"
#include "wim/wim.h"

/** Which images a package goes into; the words of [updates] targets. */
enum target_role { TARGET_INSTALL, TARGET_WINRE, TARGET_BOOT, TARGET_ROLES };

/** One WIM of the medium, or winre.wim inside the chosen image. */
struct wim_file {
	const char *path;      /**< on the medium: "sources/install.wim"; "winre.wim" */
	struct ib_input *in;   /**< in the base */
	struct ib_wim *wim;    /**< open while it is being serviced */
};

/** One image that is serviced. */
struct target {
	enum target_role role;
	struct wim_file *file;
	unsigned source_index; /**< 1-based, in the base */
	char *name;            /**< image name, for messages */
	GPtrArray *updates;    /**< struct update *, in the order of installation; borrowed */
	struct ib_store *store;
};

/** One package file that was found. */
struct update {
	struct ib_package *package;
	struct ib_package_trust trust;
	bool checkpoint;       /**< a newer one of the same name needs it installed */
	bool named;            /**< by file in the profile, not found by search */
	int rank;              /**< order of servicing, see updates.c */
	int sequence;          /**< order within the rank, of those that belong to capabilities asked for by name */
	const char *kb;        /**< "KB5005568", or the package's name */
	char *skipped;         /**< why it went nowhere, or NULL */
};

/** One component to remove. */
struct removal {
	struct ib_ini *manifest;
	struct ib_removal removal;
	char **traces;         /**< what to look for afterwards */
	struct ib_removal_summary summary;
};

/** One package to uninstall. */
struct uninstalled {
	const char *name;      /**< as the profile has it */
	bool capability;       /**< a capability's name, not a package's */
	struct ib_removal_summary summary;
};

/** One driver package to add. */
struct driver_item {
	struct ib_driver *driver;
	struct ib_driver_summary summary; /**< of the chosen edition, once added */
	unsigned images;       /**< it was added to */
};

/** One provisioned app to remove. */
struct app_item {
	const char *name;      /**< as the profile has it */
	GPtrArray *lines;      /**< char *: what was done; NULL: nothing yet */
};

/** Something that stages registry, files and unattend put into the image. */
struct added_item {
	const char *stage;
	char *name, *text;
};

/** A file of the medium that is not the base's. */
struct media_file {
	char *path;            /**< '/' between names, as on the disc where it is there already */
	GBytes *bytes;
	const char *from;      /**< for messages: the cabinet's name, or the image */
};

/** Digests of the finished ISO. */
struct iso_digests {
	uint8_t sha1[IB_DIGEST_MAX], sha256[IB_DIGEST_MAX], sm3[IB_DIGEST_MAX];
	bool has_sm3;
};

/** One run. */
struct build {
	const struct ib_build_options *o;
	bool applies;          /**< what is planned will be done */
	struct ib_progress *planning; /**< the step, while plans are made; else NULL */
	struct ib_ini *p;
	int64_t epoch;         /**< [profile] date, seconds: the only clock of image, metadata, papers */
	uint64_t filetime;
	char *label, *final_dir, *work_dir, *iso_path;

	struct ib_input *base;
	struct ib_media *media;
	struct wim_file install, winre, boot;
	GPtrArray *targets;    /**< struct target *: the chosen edition, winre.wim's images, boot.wim's images */
	char *edition, *product_name;
	struct ib_version windows; /**< of the chosen edition after servicing */

	struct ib_anchors *anchors;
	GPtrArray *updates;    /**< struct update * */
	bool on_demand;        /**< [features] source brought some of them */
	struct ib_stock *stock; /**< [updates] payload-sources, or NULL */
	GPtrArray *removals;   /**< struct removal * */
	GPtrArray *uninstalls; /**< struct uninstalled * */
	GPtrArray *step;       /**< char *: commands of the step after an in-place upgrade */
	struct ib_cleanup_summary cleaned;
	GPtrArray *drivers;    /**< struct driver_item * */
	GPtrArray *apps;       /**< struct app_item * */
	GPtrArray *added;      /**< struct added_item * */
	GPtrArray *setups;     /**< struct ib_setup_update * */
	GHashTable *media_files; /**< folded path -> struct media_file *: what replaces or joins the base's files */
	uint64_t payload_bytes;

	struct ib_plan *plan;
	struct ib_wim *scratch_wim;  /**< while planning only: the chosen image, changed in memory as far as planned */
	struct ib_store *scratch;
	JsonObject *verify;    /**< evidence/verify.json */
	GArray *times;         /**< struct stage_time */
	uint64_t iso_bytes;
	struct iso_digests digests;
	struct ib_metadata_result metadata;
	bool has_metadata;
	GPtrArray *notes;      /**< struct ib_report_item *: what could not be done offline */
	unsigned projections_checked;
};

struct stage_time {
	const char *stage;
	double seconds;
};

/**
 * A stage: one step of the build. `plan` decides every refusal that needs no write and adds its items;
 * `apply` does the work in the workspace. Either may be NULL.
 */
struct stage {
	const char *name;      /**< section in the profile, word in messages */
	const char *summary;
	bool (*plan)(struct build *b, struct ib_error **err);
	bool (*apply)(struct build *b, struct ib_progress *progress, struct ib_error **err);
};

/* run.c */
/** Add a line to the plan. */
void plan_add(struct build *b, const char *stage, uint64_t weight_bytes, const char *fmt, ...) IB_PRINTF(4, 5);
/** Add a warning to plan and result. */
void plan_warn(struct build *b, const char *fmt, ...) IB_PRINTF(2, 3);

/* base.c */
bool base_plan(struct build *b, struct ib_error **err);
bool base_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** Open a fresh ib_wim over a file of the base. @param spool  folder for new blobs, NULL: memory */
bool base_open_wim(struct build *b, struct wim_file *f, const char *spool, struct ib_wim **ret, struct ib_error **err);
/** The same of install.wim, with the images only that the result will hold. */
bool base_open_install(struct build *b, const char *spool, struct ib_wim **ret, struct ib_error **err);
/** The chosen image as far as it is planned: what a later stage would find. Closed when planning ends. */
bool base_scratch(struct build *b, struct ib_store **ret, struct ib_error **err);
void base_scratch_close(struct build *b);
/** The target of the chosen edition. */
struct target *install_target(struct build *b);
struct target *add_target(struct build *b, enum target_role role, struct wim_file *f, struct ib_wim *wim, unsigned index);

/* recovery.c: winre.wim, which lies inside an image */
/** winre.wim of an image as a file of its own; *ret NULL when the image has none. dir: as in ib_input_spool() */
bool recovery_open(struct ib_wim *wim, struct ib_image *image, const char *dir, struct ib_input **ret,
		   struct ib_error **err);
/** Find winre.wim in the chosen image and add its images as targets, when the profile asks for it. */
bool recovery_plan(struct build *b, struct ib_wim *wim, unsigned index, struct ib_error **err);
/** Stage: put the serviced winre.wim back into its image. */
bool recovery_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** Whether something was installed into winre.wim. */
bool recovery_changed(const struct build *b);

/* updates.c */
bool updates_plan(struct build *b, struct ib_error **err);
bool updates_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
void build_update_free(struct update *u);
/** How to open packages. */
struct update_options {
	struct ib_anchors *anchors;
	GBytes *dictionary;    /**< of compressed manifests, or NULL */
	const char *spool_dir; /**< or NULL */
	unsigned threads;
	bool payload;          /**< they will be installed: see struct ib_package_options */
	struct ib_progress *progress; /**< borrowed, while they are opened; or NULL */
};
/** Say what to do about a package that was refused for what it is, unless something better is said already: false. */
bool package_refused(struct ib_error **err);
/** Open the packages in a file (an .msu may hold servicing stack and update), verify them, append them
 *  (struct update *). */
bool updates_open(GPtrArray *updates, const char *path, const struct update_options *o, struct ib_error **err);
/** Begin to unpack a file while the image is opened that knows the dictionary; updates_end(), or ib_package_open_cancel(). */
struct ib_package_opening *updates_begin(const char *path, const struct update_options *o);
/** As updates_open(), of a file that was begun. opening: taken; NULL: it was not, and is opened now. */
bool updates_end(GPtrArray *updates, const char *path, struct ib_package_opening *opening,
		 const struct update_options *o, struct ib_error **err);
/* ondemand.c */
/**
 * Of packages that payload may come from, those that bring a wanted feature which the image does not know: appended to
 * `updates`, to be installed.
 * @param s        the image as it is before any update
 * @param wanted   features to be turned on; may be NULL
 * @param sources  files and folders of packages; may be NULL
 */
bool updates_on_demand(GPtrArray *updates, struct ib_store *s, char *const *wanted, char *const *sources,
		       const struct update_options *o, struct ib_error **err);
/**
 * What to warn of when such a package was installed: a cumulative update that the image has and that is not among
 * `updates`.
 * @param ret  g_free; NULL: nothing
 */
bool on_demand_stale(struct ib_store *s, const GPtrArray *updates, char **ret, struct ib_error **err);
/* capability.c */
/** Features on demand asked for by name. */
struct capability_request {
	char *const *names;    /**< "OpenSSH.Server", "Language.Basic~~~de-DE~0.0.1.0" */
	char *const *sources;  /**< cabinets, and folders of them */
	struct ib_store *store;
	const struct update_options *options;
};
/**
 * Open and append (struct update *) the packages that bring them: what they depend on and the image lacks, they
 * themselves, their parts for the languages of the image and of packages that are among the updates already.
 * @param lines  char * appended: what is in the image already, and languages for which the sources have no part
 * Throws IB_ERR_INPUT: the sources do not have it, or what it depends on; what updates_open() throws.
 */
bool capabilities_open(GPtrArray *updates, const struct capability_request *r, GPtrArray *lines, struct ib_error **err);

/* updates.c */
/** "; 3 files come complete, 1,204 by differential …", empty when all come complete; owned by the caller (g_free). */
char *payload_words(const struct ib_install_summary *sum);
/** The order of installation. */
void updates_sort(GPtrArray *updates);

/* image.c */
enum image_kind { IMAGE_NONE, IMAGE_WIM, IMAGE_DISC };
enum image_kind image_kind(struct ib_input *in);
/** "FILE:2" means image 2, unless a file of that very name exists; 0: none given. Owned by the caller (g_free). */
char *image_split(const char *text, unsigned *ret_index);
/** A WIM (also split or solid), or install.wim or install.esd of a disc. index: must exist, 0: any. ib_wim_free. */
bool image_open(const char *path, unsigned index, struct ib_wim **ret, struct ib_error **err);
/** An image that manifests and differentials need. */
struct image_base {
	struct ib_wim *wim;
	struct ib_store *store;
	GBytes *dictionary; /**< the store's, or NULL */
};
/** Open "IMAGE[:INDEX]", the first image when none is given. Release with image_base_clear(). */
bool image_base_open(const char *text, struct image_base *ret, struct ib_error **err);
void image_base_clear(struct image_base *b);

/* sources.c */
/** Open images and packages that complete files may come from; *ret NULL when there are none. */
bool sources_open(char *const *files, GBytes *dictionary, const char *spool_dir, struct ib_stock **ret,
		  struct ib_error **err);

/* changes.c: removals, features, values */
bool remove_plan(struct build *b, struct ib_error **err);
bool remove_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
bool features_plan(struct build *b, struct ib_error **err);
bool features_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
void removal_free(struct removal *r);
/** What a removal manifest asks for; takes it. */
struct removal *removal_new(struct ib_ini *manifest, enum ib_removal_technique technique);
void uninstalled_free(struct uninstalled *u);
bool cleanup_plan(struct build *b, struct ib_error **err);
bool cleanup_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** What a cleanup did, as a line; owned by the caller (g_free). */
char *cleanup_text(const struct ib_cleanup_summary *s);
/** A technique by its word; NULL is the first. Throws IB_ERR_USAGE. */
bool removal_technique(const char *word, enum ib_removal_technique *ret, struct ib_error **err);
const char *removal_technique_word(enum ib_removal_technique technique);

/* drivers.c */
bool drivers_plan(struct build *b, struct ib_error **err);
bool drivers_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** Open a package for the image of a store and verify it; ret: ib_driver_free. */
bool driver_open(struct ib_store *store, const char *path, const struct ib_anchors *anchors, struct ib_driver **ret,
		 struct ib_error **err);
/** Its version as text; owned by the caller (g_free). */
char *driver_version(const struct ib_driver *d);
/** What Setup shall run for it, a line of SetupComplete.cmd; owned by the caller (g_free). */
char *driver_first_boot(const struct ib_driver *d);
/** Such lines for all packages that were added. */
void drivers_script(const struct build *b, GString *commands);
/** For build.json; owned by the caller. */
JsonArray *drivers_json(const struct build *b);
void driver_item_free(void *item);

/* appx.c: provisioned apps */
bool apps_plan(struct build *b, struct ib_error **err);
bool apps_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** For build.json; owned by the caller. */
JsonArray *apps_json(const struct build *b);
void app_item_free(void *item);

/* registry.c, files.c, unattend.c: what a profile brings of its own */
/** Where .reg files go. */
struct reg_place {
	struct ib_store *store;  /**< whose open hives take the values; NULL: hives are loaded and saved */
	struct ib_wim *wim;
	struct ib_image *image;
	uint64_t time;           /**< FILETIME of what changes */
	/** So many keys of a file went into a hive; may be NULL. */
	void (*said)(void *data, unsigned keys, const char *file, const char *hive);
	void *data;
};
/** .reg files; g_array_unref. */
GArray *reg_files_new(void);
/** Read one more, and count its key lines. wow64: as a 32-bit program sees the registry. Throws IB_ERR_INPUT. */
bool reg_files_read(GArray *files, const char *path, bool wow64, struct ib_error **err) IB_MUST_CHECK;
/** All values into the hives they belong to. Throws IB_ERR_INPUT: a key that no hive of the image takes, a wrong value. */
bool reg_files_import(GArray *files, const struct reg_place *to, struct ib_error **err) IB_MUST_CHECK;
bool registry_plan(struct build *b, struct ib_error **err);
bool registry_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
bool files_plan(struct build *b, struct ib_error **err);
bool files_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
bool unattend_plan(struct build *b, struct ib_error **err);
bool unattend_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
/** Whether a file of the base's medium gives way to the profile's answer file. */
bool unattend_on_media(const struct build *b, const char *path);
/** Add the answer file to the medium, when it goes there. */
bool unattend_add_media(struct build *b, struct ib_media_writer *w, struct ib_error **err);
/** Remember what was put, for build.json. */
void added_add(struct build *b, const char *stage, const char *name, const char *fmt, ...) IB_PRINTF(4, 5);
/** For build.json; owned by the caller. */
JsonArray *added_json(const struct build *b);
void added_item_free(void *item);

/* put.c: new files and folders */
/** What a new file or folder at a path gets; ret_sd holds the descriptor (g_bytes_unref; NULL: none). */
bool put_meta(struct ib_image *image, uint64_t time, const char *path, bool dir, struct ib_node_meta *ret, GBytes **ret_sd,
	      struct ib_error **err);
/** Make a folder with its parents, each inheriting from the one above. */
bool put_dir(struct ib_image *image, uint64_t time, const char *path, struct ib_error **err);
/** The same for the folder that a path lies in. */
bool put_parent(struct ib_image *image, uint64_t time, const char *path, struct ib_error **err);
/** Receives a file of this machine and its path in the image; source NULL: a folder, before what is in it. */
typedef bool (*put_file_fn)(const char *source, const char *path, void *data, struct ib_error **err);
/** A file, or a folder with all below it in the order of names, not through links. */
bool put_walk(const char *source, const char *path, put_file_fn fn, void *data, struct ib_error **err);

/* tasks.c */
/** What Setup shall run for tasks that were put into the image of a store: lines of SetupComplete.cmd. */
void tasks_script(struct ib_store *store, GString *commands);
/* script.c: SetupComplete.cmd */
#define SETUP_SCRIPT "Windows\\Setup\\Scripts\\SetupComplete.cmd"
/** Put commands (lines ended by CR LF) into the script; one that is there is kept beside it and called first. */
bool script_put(struct ib_wim *wim, struct ib_image *image, uint64_t time, const char *title, const char *commands,
		struct ib_error **err);

/** Put a script with the bytes it has beside it, called behind what is there. */
bool script_put_as_it_is(struct ib_wim *wim, struct ib_image *image, uint64_t time, const char *text, struct ib_error **err);

/* values.c: what every image of ours carries */
bool values_plan(struct build *b, struct ib_error **err);
bool values_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);

/* setup.c: Setup and the boot programs on the medium */
bool setup_plan(struct build *b, struct ib_error **err);
bool setup_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
void media_file_free(void *file);
/** Open a setup update and judge its signature. named: by the profile, not found by search. */
bool setup_add(struct build *b, const char *path, bool named, struct ib_error **err);
/**
 * Compare the medium's Setup and boot programs with those of boot.wim: older ones are findings (char *).
 * @param ret_compared  how many were compared
 */
bool setup_compare(struct ib_media *media, struct ib_wim *boot, GPtrArray *findings, unsigned *ret_compared,
		   struct ib_error **err);

/* media.c */
bool media_plan(struct build *b, struct ib_error **err);
bool media_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);

/* check.c: the written file */
bool store_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
bool written_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);

/* papers.c */
bool metadata_plan(struct build *b, struct ib_error **err);
bool metadata_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);
bool report_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);

/* sign.c */
bool sign_plan(struct build *b, struct ib_error **err);
bool sign_apply(struct build *b, struct ib_progress *progress, struct ib_error **err);

/* approval.c */
bool approvals_plan(struct build *b, struct ib_error **err);
/** Roles of the policy that have not approved the folder (char *); owned by the caller. */
bool approvals_missing(const struct ib_ini *p, const struct ib_ini_options *vars, const char *dir, int64_t now,
		       GPtrArray **ret, struct ib_error **err);

/** A folder built again with the same bytes keeps the records about them; others are about other bytes. */
bool approvals_keep(const char *old_dir, const char *new_dir, struct ib_error **err);

/* deliver.c */
bool publish_plan(struct build *b, struct ib_error **err);
bool deliver_folder(const struct ib_ini *p, const struct ib_build_options *o, const char *dir, char **ret_url,
		    struct ib_error **err);

/* verify.c */
/** Judge the signature of a list of digests; a bad one is a finding. */
bool check_signature(GBytes *list, GBytes *sig, char *const *anchors_files, int64_t now, struct ib_check_result *r,
		     struct ib_error **err);
/** Fill the JSON of a result. */
void check_finish(struct ib_check_result *r);
/** Anchors from files. */
bool check_anchors(char *const *files, int64_t now, struct ib_anchors **ret, struct ib_error **err);

/* json.c */
/** The plan as one document; owned by the caller (g_free). */
char *plan_json(const struct build *b);
/** Seconds of each stage so far; owned by the caller. */
JsonObject *times_json(const struct build *b);
/** build.json; the times of this run are no part of the file, only of the result. Owned by the caller (g_free). */
char *build_json(const struct build *b, bool with_times);
/** Pretty text of an object with a newline; owned by the caller (g_free). */
char *json_text(JsonObject *object);
/** Write an object to <work>/<name>. */
bool json_write(const struct build *b, const char *name, JsonObject *object, struct ib_error **err);
/** A list of strings as array member. */
void json_set_strings(JsonObject *object, const char *name, const GPtrArray *strings);

/* folder.c */
/** Relative names of all files below a folder, sorted; records/ left out. g_ptr_array_unref. */
bool folder_files(const char *dir, GPtrArray **ret, struct ib_error **err);
/** Read SHA256SUMS-style text: struct { digest, name } pairs are checked for escaping names. */
struct sum_line {
	uint8_t digest[32];
	char *name;
};
bool sums_parse(const char *text, const char *source, GPtrArray **ret, struct ib_error **err);

#endif
