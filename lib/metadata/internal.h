#ifndef IB_METADATA_INTERNAL_H
#define IB_METADATA_INTERNAL_H

#include "metadata/metadata.h"

#include "digest/digest.h"
#include "xml/xml.h"

/* Most bytes of one document: the largest of 4125 genuine ones has 0.2 MiB. */
#define DOCUMENT_MAX (1u << 20)
/* Most files of a catalog folder: as many as the genuine export has documents. */
#define CATALOG_MAX 4200u
/* Most references (superseded, prerequisites, bundle members) of one document. */
#define REFERENCES_MAX 1024u
/* Most images of a stream: one bit each in a set; a rebuild every month fills it in five years. */
#define IMAGES_MAX 64u
/* Longest name, stream, customer …: a registry value the rules can compare, a title people can read. */
#define WORD_MAX 200u

#define NS_UPD "http://schemas.microsoft.com/msus/2002/12/Update"
#define NS_BAR "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules"
#define NS_LAR "http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules"
#define NS_CAT "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category"
#define NS_CMD "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation"
#define NS_XSI "http://www.w3.org/2001/XMLSchema-instance"

/* The classification "Upgrades", a well-known id of every update server. */
#define UPGRADES_ID "3689bdc8-b205-4af4-8d4a-a63924c5e9d5"

#define WINDOWS_KEY "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"

/* ---- version.c: four-part versions ---- */

struct version {
	uint32_t part[4];
};

/* Four numbers with dots, each below 2^31. */
bool version_parse(const char *text, struct version *ret);
/* What a registry may hold: one to four numbers, missing ones are 0. */
bool version_parse_loose(const char *text, struct version *ret);
int version_compare(const struct version *a, const struct version *b);
char *version_text(const struct version *v);

/* ---- products.c: product manifests ---- */

struct product {
	char *name, *line, *edition;
	unsigned build;
	bool has_range;        /* image versions of this product begin with these two numbers */
	struct version from, below;
	bool detects;          /* has a [detect] section */
	unsigned detect_build;
	char *detect_edition;
	char *subkey, *value, *text; /* a registration value it has; NULL: none needed */
};

/* All manifests of the folders, by name; of one name the first folder's wins. Elements: struct product. */
bool products_load(char *const *dirs, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;
const struct product *product_find(const GPtrArray *products, const char *name);
/* "V2020-L" -> "L": what the images hold as Edition. */
char *product_line_of(const char *product);

/* ---- document.c: one update revision ---- */

enum update_type { UPDATE_CATEGORY, UPDATE_DETECTOID, UPDATE_SOFTWARE, UPDATE_DRIVER };

/* What the rules of a child say about its image. */
struct image {
	char *vendor, *customer, *stream, *line, *edition;
	struct version version;
	unsigned build, arch;
};

struct reference {
	char *id;          /* lower case */
	unsigned revision; /* 0: any */
};

struct update {
	struct ib_xml *doc;
	char *file;                /* where it was read, for messages */
	char *id, *title, *category; /* category: CategoryType, or NULL */
	unsigned revision;
	enum update_type type;
	bool expired, deployable, has_rules, has_files, has_handler;
	GArray *superseded;        /* struct reference */
	GPtrArray *clauses;        /* GArray of struct reference: one of each must be installed */
	GArray *bundled;           /* struct reference */
	struct ib_xml_node *installed, *is_superseded, *installable; /* rules; NULL: absent */
	struct image *image;       /* a child's own; a parent borrows its child's through `child` */
	struct update *child;      /* of an image's parent; borrowed */
	bool fresh;                /* new or revised: to be written */
};

/* Read one document; everything in it is checked. Result: update_free. */
bool update_read(const void *data, size_t len, const char *name, struct update **ret, struct ib_error **err)
	IB_MUST_CHECK;
void update_free(struct update *u);
/* The document's bytes: one line without declaration, as in an export and in a file. */
GBytes *update_bytes(const struct update *u);
const struct reference *reference_at(const GArray *list, guint i);
bool references_have(const GArray *list, const char *id);

/* ---- author.c: documents of our own ---- */

/* What belongs to the image beside its description. */
struct author {
	const struct ib_metadata_image *image;
	struct version version;
	char *line;                 /* Edition value */
	unsigned build_bound;       /* highest Windows build it is offered to */
	GPtrArray *sources;         /* const struct product *: offered to */
	char *company_id, *family_id, *product_id, *publisher_id, *parent_id, *child_id;
};

/* Ids of an image; made of stable names only. */
void author_ids(struct author *a);
void author_clear(struct author *a);
/* Company, family, product, classification, in the order they need each other. Elements: struct update, owned. */
bool author_categories(const struct author *a, GPtrArray *ret, struct ib_error **err) IB_MUST_CHECK;
/* The child and the parent, in this order, without superseded updates. */
bool author_pair(const struct author *a, GPtrArray *ret, struct ib_error **err) IB_MUST_CHECK;
/* The same update, one revision higher (or the same when it is fresh already), superseding exactly these ids. */
bool author_supersede(struct update **u, const GPtrArray *ids, struct ib_error **err) IB_MUST_CHECK;

/* ---- rules.c ---- */

/* IsInstalled and IsInstallable of a child, below `rules`. */
void rules_write(struct ib_xml_node *rules, const struct author *a);
/* What the rules of a document say; NULL when they are not of the form above. */
struct image *rules_read(const struct update *u);
void image_free(struct image *i);
/* arm64, amd64, x86 as the rules number them; UINT_MAX when unknown. */
unsigned arch_number(const char *name);
const char *arch_name(unsigned number);

/* ---- catalog.c ---- */

struct catalog {
	GPtrArray *updates;  /* struct update, owned: the newest revision of each, by id */
	GHashTable *by_id;   /* char * -> struct update *, borrowed */
};

bool catalog_load(const char *dir, struct catalog **ret, struct ib_error **err) IB_MUST_CHECK;
void catalog_free(struct catalog *c);
struct update *catalog_find(const struct catalog *c, const char *id);
/* Add or replace by id; taken. */
void catalog_put(struct catalog *c, struct update *u);
/* Find each image's child; a reference to a child that is not there in that revision is refused. */
bool catalog_link(struct catalog *c, struct ib_error **err) IB_MUST_CHECK;
/* Every update after all it needs: prerequisites, bundle members. Borrowed; g_ptr_array_unref. Throws on cycles. */
bool catalog_order(const struct catalog *c, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- stream.c ---- */

/* Parents of images of the same vendor, edition and architecture, lowest first. Borrowed; g_ptr_array_unref. */
GPtrArray *stream_images(const struct catalog *c, const struct image *like);
/* Total order; 0 only for the same version of the same kind. */
int image_compare(const struct image *a, const struct image *b);
/* Whether the higher image supersedes the lower one: another customer's is nobody's business. */
bool image_concerns(const struct image *higher, const struct image *lower);
/* Refuse an image that does not fit in. */
bool stream_check(const struct catalog *c, const struct author *a, struct ib_error **err) IB_MUST_CHECK;
/* Make the relations of all images complete; what changes is revised. */
bool stream_relate(struct catalog *c, const struct image *like, struct ib_error **err) IB_MUST_CHECK;
/* Refuse supersedence that leads back to where it began. */
bool stream_acyclic(const struct catalog *c, enum ib_code code, struct ib_error **err) IB_MUST_CHECK;

/* ---- rule_eval.c ---- */

enum truth { RULE_FALSE, RULE_TRUE, RULE_UNKNOWN };

/* What a client is. Free with facts_free. */
struct facts {
	unsigned major, minor, build, product_type, arch;
	GTree *values; /* char * "SUBKEY!VALUE" folded -> struct fact_value */
};

struct fact_value {
	bool is_number;
	uint32_t number;
	char *text;
	char *name; /* "SUBKEY!VALUE" as written */
};

struct facts *facts_new(unsigned build, unsigned arch);
struct facts *facts_copy(const struct facts *f);
void facts_free(struct facts *f);
void facts_set_text(struct facts *f, const char *subkey, const char *value, const char *text);
void facts_set_number(struct facts *f, const char *subkey, const char *value, uint32_t number);
const struct fact_value *facts_get(const struct facts *f, const char *subkey, const char *value);
/* All of it as one line, the same for the same facts. */
char *facts_text(const struct facts *f);
/* rule: NULL is unknown. */
enum truth rule_eval(const struct ib_xml_node *rule, const struct facts *f);
/* Why a rule is not true, in words; owned by the caller. */
char *rule_why(const struct ib_xml_node *rule, const struct facts *f);

/* ---- clients.c ---- */

struct client {
	char *name;
	struct facts *facts;
	const struct product *source; /* a machine without our values of a product the image is for; else NULL */
};

/* The clients a new image is tried on. Elements: struct client, owned by the array. */
GPtrArray *clients_make(const struct author *a, const GPtrArray *products);
/* What installing an image makes of a machine. */
void client_install(struct facts *f, const struct image *image);

/* ---- simulate.c ---- */

/* State of one update on a client, rules only (prerequisites apart). */
enum state { STATE_NOT_APPLICABLE, STATE_INSTALLED, STATE_NEEDED, STATE_UNKNOWN };
enum state update_state(const struct update *u, const struct facts *f);

struct sim_count {
	unsigned clients, images, scans, offers_two, loops;
	bool exhaustive; /* all subsets were tried, not a sample */
};

enum sim_model {
	SIM_NATIVE,     /* hidden by what is offered at the same time only */
	SIM_OPTIMISTIC, /* also by what is installed */
};

struct sim;
/* images: parents, borrowed; c: everything else. Freed by sim_free. */
struct sim *sim_new(const struct catalog *c, const GPtrArray *images);
void sim_free(struct sim *s);
/* Every subset of presence and approval on one client, following installs to the end; adds to count. */
void sim_run(struct sim *s, const struct facts *client, struct sim_count *count);
/* What one scan is about. */
struct sim_setting {
	uint64_t present, approved; /* sets of indexes into images */
	enum sim_model model;
	bool withholds;             /* the server keeps back what any update it holds supersedes */
};

/* All images present and approved, a server that leaves supersedence to the client. */
struct sim_setting sim_all(const struct sim *s, enum sim_model model);
/* What this client is offered first, as a set of indexes into images. */
uint64_t sim_offered(struct sim *s, const struct facts *client, const struct sim_setting *w);
/* Titles of what is installed one after the other. g_ptr_array_unref. */
GPtrArray *sim_path(struct sim *s, const struct facts *client, const struct sim_setting *w);

/* ---- lint.c, export.c, offers.c ---- */

bool lint_run(const struct catalog *c, const struct author *a, struct ib_error **err) IB_MUST_CHECK;

/* export.cab of all updates of the catalog. */
bool export_write(const struct catalog *c, const struct ib_metadata_image *image, const char *path,
		  struct ib_error **err) IB_MUST_CHECK;
/* A cabinet without compression. */
struct cab_member {
	const char *name;
	const void *data;
	size_t len;
};
bool cab_write(const struct cab_member *members, size_t count, int64_t date, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;

/* The proof: counts into r, offers.json as text. */
bool offers_prove(const struct catalog *c, const struct author *a, const GPtrArray *products,
		  struct ib_metadata_result *r, char **ret_json, struct ib_error **err) IB_MUST_CHECK;

#endif
