/*
 * The enumerations of KMIP 1.0 to 1.4 that a key server meets (KMIP 1.4
 * section 9.1.3.2): identifier, value, minor version that first defines it,
 * name as the standard spells it.
 */
#ifndef KMS_KMIP_DEF_ENUM_H
#define KMS_KMIP_DEF_ENUM_H

/* clang-format off */
#define KMIP_OPERATION_LIST(X) \
	X(CREATE, 0x1, 0, "Create") \
	X(CREATE_KEY_PAIR, 0x2, 0, "Create Key Pair") \
	X(REGISTER, 0x3, 0, "Register") \
	X(RE_KEY, 0x4, 0, "Re-key") \
	X(DERIVE_KEY, 0x5, 0, "Derive Key") \
	X(CERTIFY, 0x6, 0, "Certify") \
	X(RE_CERTIFY, 0x7, 0, "Re-certify") \
	X(LOCATE, 0x8, 0, "Locate") \
	X(CHECK, 0x9, 0, "Check") \
	X(GET, 0xa, 0, "Get") \
	X(GET_ATTRIBUTES, 0xb, 0, "Get Attributes") \
	X(GET_ATTRIBUTE_LIST, 0xc, 0, "Get Attribute List") \
	X(ADD_ATTRIBUTE, 0xd, 0, "Add Attribute") \
	X(MODIFY_ATTRIBUTE, 0xe, 0, "Modify Attribute") \
	X(DELETE_ATTRIBUTE, 0xf, 0, "Delete Attribute") \
	X(OBTAIN_LEASE, 0x10, 0, "Obtain Lease") \
	X(GET_USAGE_ALLOCATION, 0x11, 0, "Get Usage Allocation") \
	X(ACTIVATE, 0x12, 0, "Activate") \
	X(REVOKE, 0x13, 0, "Revoke") \
	X(DESTROY, 0x14, 0, "Destroy") \
	X(ARCHIVE, 0x15, 0, "Archive") \
	X(RECOVER, 0x16, 0, "Recover") \
	X(VALIDATE, 0x17, 0, "Validate") \
	X(QUERY, 0x18, 0, "Query") \
	X(CANCEL, 0x19, 0, "Cancel") \
	X(POLL, 0x1a, 0, "Poll") \
	X(NOTIFY, 0x1b, 0, "Notify") \
	X(PUT, 0x1c, 0, "Put") \
	X(RE_KEY_KEY_PAIR, 0x1d, 1, "Re-key Key Pair") \
	X(DISCOVER_VERSIONS, 0x1e, 1, "Discover Versions") \
	X(ENCRYPT, 0x1f, 2, "Encrypt") \
	X(DECRYPT, 0x20, 2, "Decrypt") \
	X(SIGN, 0x21, 2, "Sign") \
	X(SIGNATURE_VERIFY, 0x22, 2, "Signature Verify") \
	X(MAC, 0x23, 2, "MAC") \
	X(MAC_VERIFY, 0x24, 2, "MAC Verify") \
	X(RNG_RETRIEVE, 0x25, 2, "RNG Retrieve") \
	X(RNG_SEED, 0x26, 2, "RNG Seed") \
	X(HASH, 0x27, 2, "Hash") \
	X(CREATE_SPLIT_KEY, 0x28, 2, "Create Split Key") \
	X(JOIN_SPLIT_KEY, 0x29, 2, "Join Split Key") \
	X(IMPORT, 0x2a, 4, "Import") \
	X(EXPORT, 0x2b, 4, "Export")

#define KMIP_OBJECT_LIST(X) \
	X(CERTIFICATE, 0x1, 0, "Certificate") \
	X(SYMMETRIC_KEY, 0x2, 0, "Symmetric Key") \
	X(PUBLIC_KEY, 0x3, 0, "Public Key") \
	X(PRIVATE_KEY, 0x4, 0, "Private Key") \
	X(SPLIT_KEY, 0x5, 0, "Split Key") \
	X(TEMPLATE, 0x6, 0, "Template") \
	X(SECRET_DATA, 0x7, 0, "Secret Data") \
	X(OPAQUE_OBJECT, 0x8, 0, "Opaque Object") \
	X(PGP_KEY, 0x9, 2, "PGP Key")

#define KMIP_STATE_LIST(X) \
	X(PRE_ACTIVE, 0x1, 0, "Pre-Active") \
	X(ACTIVE, 0x2, 0, "Active") \
	X(DEACTIVATED, 0x3, 0, "Deactivated") \
	X(COMPROMISED, 0x4, 0, "Compromised") \
	X(DESTROYED, 0x5, 0, "Destroyed") \
	X(DESTROYED_COMPROMISED, 0x6, 0, "Destroyed Compromised")

#define KMIP_STATUS_LIST(X) \
	X(SUCCESS, 0x0, 0, "Success") \
	X(OPERATION_FAILED, 0x1, 0, "Operation Failed") \
	X(OPERATION_PENDING, 0x2, 0, "Operation Pending") \
	X(OPERATION_UNDONE, 0x3, 0, "Operation Undone")

#define KMIP_REASON_LIST(X) \
	X(ITEM_NOT_FOUND, 0x1, 0, "Item Not Found") \
	X(RESPONSE_TOO_LARGE, 0x2, 0, "Response Too Large") \
	X(AUTHENTICATION_NOT_SUCCESSFUL, 0x3, 0, "Authentication Not Successful") \
	X(INVALID_MESSAGE, 0x4, 0, "Invalid Message") \
	X(OPERATION_NOT_SUPPORTED, 0x5, 0, "Operation Not Supported") \
	X(MISSING_DATA, 0x6, 0, "Missing Data") \
	X(INVALID_FIELD, 0x7, 0, "Invalid Field") \
	X(FEATURE_NOT_SUPPORTED, 0x8, 0, "Feature Not Supported") \
	X(OPERATION_CANCELED_BY_REQUESTER, 0x9, 0, "Operation Canceled By Requester") \
	X(CRYPTOGRAPHIC_FAILURE, 0xa, 0, "Cryptographic Failure") \
	X(ILLEGAL_OPERATION, 0xb, 0, "Illegal Operation") \
	X(PERMISSION_DENIED, 0xc, 0, "Permission Denied") \
	X(OBJECT_ARCHIVED, 0xd, 0, "Object archived") \
	X(INDEX_OUT_OF_BOUNDS, 0xe, 0, "Index Out of Bounds") \
	X(APPLICATION_NAMESPACE_NOT_SUPPORTED, 0xf, 0, "Application Namespace Not Supported") \
	X(KEY_FORMAT_TYPE_NOT_SUPPORTED, 0x10, 0, "Key Format Type Not Supported") \
	X(KEY_COMPRESSION_TYPE_NOT_SUPPORTED, 0x11, 0, "Key Compression Type Not Supported") \
	X(ENCODING_OPTION_ERROR, 0x12, 1, "Encoding Option Error") \
	X(KEY_VALUE_NOT_PRESENT, 0x13, 2, "Key Value Not Present") \
	X(ATTESTATION_REQUIRED, 0x14, 2, "Attestation Required") \
	X(ATTESTATION_FAILED, 0x15, 2, "Attestation Failed") \
	X(SENSITIVE, 0x16, 4, "Sensitive") \
	X(NOT_EXTRACTABLE, 0x17, 4, "Not Extractable") \
	X(OBJECT_ALREADY_EXISTS, 0x18, 4, "Object Already Exists") \
	X(GENERAL_FAILURE, 0x100, 0, "General Failure")

#define KMIP_BATCH_ERROR_LIST(X) \
	X(CONTINUE, 0x1, 0, "Continue") \
	X(STOP, 0x2, 0, "Stop") \
	X(UNDO, 0x3, 0, "Undo")

#define KMIP_QUERY_LIST(X) \
	X(QUERY_OPERATIONS, 0x1, 0, "Query Operations") \
	X(QUERY_OBJECTS, 0x2, 0, "Query Objects") \
	X(QUERY_SERVER_INFORMATION, 0x3, 0, "Query Server Information") \
	X(QUERY_APPLICATION_NAMESPACES, 0x4, 0, "Query Application Namespaces") \
	X(QUERY_EXTENSION_LIST, 0x5, 1, "Query Extension List") \
	X(QUERY_EXTENSION_MAP, 0x6, 1, "Query Extension Map") \
	X(QUERY_ATTESTATION_TYPES, 0x7, 2, "Query Attestation Types") \
	X(QUERY_RNGS, 0x8, 3, "Query RNGs") \
	X(QUERY_VALIDATIONS, 0x9, 3, "Query Validations") \
	X(QUERY_PROFILES, 0xa, 3, "Query Profiles") \
	X(QUERY_CAPABILITIES, 0xb, 3, "Query Capabilities") \
	X(QUERY_CLIENT_REGISTRATION_METHODS, 0xc, 3, "Query Client Registration Methods")

#define KMIP_CREDENTIAL_LIST(X) \
	X(USERNAME_AND_PASSWORD, 0x1, 1, "Username and Password") \
	X(DEVICE, 0x2, 1, "Device") \
	X(ATTESTATION, 0x3, 2, "Attestation")

#define KMIP_KEY_FORMAT_LIST(X) \
	X(RAW, 0x1, 0, "Raw") \
	X(OPAQUE, 0x2, 0, "Opaque") \
	X(PKCS1, 0x3, 0, "PKCS#1") \
	X(PKCS8, 0x4, 0, "PKCS#8") \
	X(X_509, 0x5, 0, "X.509") \
	X(ECPRIVATEKEY, 0x6, 0, "ECPrivateKey") \
	X(TRANSPARENT_SYMMETRIC_KEY, 0x7, 0, "Transparent Symmetric Key") \
	X(TRANSPARENT_DSA_PRIVATE_KEY, 0x8, 0, "Transparent DSA Private Key") \
	X(TRANSPARENT_DSA_PUBLIC_KEY, 0x9, 0, "Transparent DSA Public Key") \
	X(TRANSPARENT_RSA_PRIVATE_KEY, 0xa, 0, "Transparent RSA Private Key") \
	X(TRANSPARENT_RSA_PUBLIC_KEY, 0xb, 0, "Transparent RSA Public Key") \
	X(TRANSPARENT_DH_PRIVATE_KEY, 0xc, 0, "Transparent DH Private Key") \
	X(TRANSPARENT_DH_PUBLIC_KEY, 0xd, 0, "Transparent DH Public Key") \
	X(TRANSPARENT_ECDSA_PRIVATE_KEY, 0xe, 0, "Transparent ECDSA Private Key") \
	X(TRANSPARENT_ECDSA_PUBLIC_KEY, 0xf, 0, "Transparent ECDSA Public Key") \
	X(TRANSPARENT_ECDH_PRIVATE_KEY, 0x10, 0, "Transparent ECDH Private Key") \
	X(TRANSPARENT_ECDH_PUBLIC_KEY, 0x11, 0, "Transparent ECDH Public Key") \
	X(TRANSPARENT_ECMQV_PRIVATE_KEY, 0x12, 0, "Transparent ECMQV Private Key") \
	X(TRANSPARENT_ECMQV_PUBLIC_KEY, 0x13, 0, "Transparent ECMQV Public Key") \
	X(TRANSPARENT_EC_PRIVATE_KEY, 0x14, 3, "Transparent EC Private Key") \
	X(TRANSPARENT_EC_PUBLIC_KEY, 0x15, 3, "Transparent EC Public Key") \
	X(PKCS12, 0x16, 4, "PKCS#12")

#define KMIP_WRAPPING_LIST(X) \
	X(ENCRYPT, 0x1, 0, "Encrypt") \
	X(MAC_SIGN, 0x2, 0, "MAC/sign") \
	X(ENCRYPT_THEN_MAC_SIGN, 0x3, 0, "Encrypt then MAC/sign") \
	X(MAC_SIGN_THEN_ENCRYPT, 0x4, 0, "MAC/sign then encrypt") \
	X(TR_31, 0x5, 0, "TR-31")

#define KMIP_ENCODING_LIST(X) \
	X(NO_ENCODING, 0x1, 1, "No Encoding") \
	X(TTLV_ENCODING, 0x2, 1, "TTLV Encoding")

#define KMIP_NAME_TYPE_LIST(X) \
	X(UNINTERPRETED_TEXT_STRING, 0x1, 0, "Uninterpreted Text String") \
	X(URI, 0x2, 0, "URI")

#define KMIP_ALTERNATIVE_LIST(X) \
	X(UNINTERPRETED_TEXT_STRING, 0x1, 2, "Uninterpreted Text String") \
	X(URI, 0x2, 2, "URI") \
	X(OBJECT_SERIAL_NUMBER, 0x3, 2, "Object Serial Number") \
	X(EMAIL_ADDRESS, 0x4, 2, "Email Address") \
	X(DNS_NAME, 0x5, 2, "DNS Name") \
	X(X_500_DISTINGUISHED_NAME, 0x6, 2, "X.500 Distinguished Name") \
	X(IP_ADDRESS, 0x7, 2, "IP Address")

#define KMIP_SECRET_DATA_LIST(X) \
	X(PASSWORD, 0x1, 0, "Password") \
	X(SEED, 0x2, 0, "Seed")

#define KMIP_ALGORITHM_LIST(X) \
	X(DES, 0x1, 0, "DES") \
	X(DES3, 0x2, 0, "3DES") \
	X(AES, 0x3, 0, "AES") \
	X(RSA, 0x4, 0, "RSA") \
	X(DSA, 0x5, 0, "DSA") \
	X(ECDSA, 0x6, 0, "ECDSA") \
	X(HMAC_SHA1, 0x7, 0, "HMAC-SHA1") \
	X(HMAC_SHA224, 0x8, 0, "HMAC-SHA224") \
	X(HMAC_SHA256, 0x9, 0, "HMAC-SHA256") \
	X(HMAC_SHA384, 0xa, 0, "HMAC-SHA384") \
	X(HMAC_SHA512, 0xb, 0, "HMAC-SHA512") \
	X(HMAC_MD5, 0xc, 0, "HMAC-MD5") \
	X(DH, 0xd, 0, "DH") \
	X(ECDH, 0xe, 0, "ECDH") \
	X(ECMQV, 0xf, 0, "ECMQV") \
	X(BLOWFISH, 0x10, 0, "Blowfish") \
	X(CAMELLIA, 0x11, 0, "Camellia") \
	X(CAST5, 0x12, 0, "CAST5") \
	X(IDEA, 0x13, 0, "IDEA") \
	X(MARS, 0x14, 0, "MARS") \
	X(RC2, 0x15, 0, "RC2") \
	X(RC4, 0x16, 0, "RC4") \
	X(RC5, 0x17, 0, "RC5") \
	X(SKIPJACK, 0x18, 0, "SKIPJACK") \
	X(TWOFISH, 0x19, 0, "Twofish") \
	X(EC, 0x1a, 2, "EC") \
	X(ONE_TIME_PAD, 0x1b, 3, "One Time Pad") \
	X(CHACHA20, 0x1c, 4, "ChaCha20") \
	X(POLY1305, 0x1d, 4, "Poly1305") \
	X(CHACHA20POLY1305, 0x1e, 4, "ChaCha20Poly1305") \
	X(SHA3_224, 0x1f, 4, "SHA3-224") \
	X(SHA3_256, 0x20, 4, "SHA3-256") \
	X(SHA3_384, 0x21, 4, "SHA3-384") \
	X(SHA3_512, 0x22, 4, "SHA3-512") \
	X(HMAC_SHA3_224, 0x23, 4, "HMAC-SHA3-224") \
	X(HMAC_SHA3_256, 0x24, 4, "HMAC-SHA3-256") \
	X(HMAC_SHA3_384, 0x25, 4, "HMAC-SHA3-384") \
	X(HMAC_SHA3_512, 0x26, 4, "HMAC-SHA3-512") \
	X(SHAKE_128, 0x27, 4, "SHAKE-128") \
	X(SHAKE_256, 0x28, 4, "SHAKE-256")

#define KMIP_MODE_LIST(X) \
	X(CBC, 0x1, 0, "CBC") \
	X(ECB, 0x2, 0, "ECB") \
	X(PCBC, 0x3, 0, "PCBC") \
	X(CFB, 0x4, 0, "CFB") \
	X(OFB, 0x5, 0, "OFB") \
	X(CTR, 0x6, 0, "CTR") \
	X(CMAC, 0x7, 0, "CMAC") \
	X(CCM, 0x8, 0, "CCM") \
	X(GCM, 0x9, 0, "GCM") \
	X(CBC_MAC, 0xa, 0, "CBC-MAC") \
	X(XTS, 0xb, 0, "XTS") \
	X(AESKEYWRAPPADDING, 0xc, 0, "AESKeyWrapPadding") \
	X(NISTKEYWRAP, 0xd, 0, "NISTKeyWrap") \
	X(X9_102_AESKW, 0xe, 0, "X9.102 AESKW") \
	X(X9_102_TDKW, 0xf, 0, "X9.102 TDKW") \
	X(X9_102_AKW1, 0x10, 0, "X9.102 AKW1") \
	X(X9_102_AKW2, 0x11, 0, "X9.102 AKW2") \
	X(AEAD, 0x12, 4, "AEAD")

#define KMIP_PADDING_LIST(X) \
	X(NONE, 0x1, 0, "None") \
	X(OAEP, 0x2, 0, "OAEP") \
	X(PKCS5, 0x3, 0, "PKCS5") \
	X(SSL3, 0x4, 0, "SSL3") \
	X(ZEROS, 0x5, 0, "Zeros") \
	X(ANSI_X9_23, 0x6, 0, "ANSI X9.23") \
	X(ISO_10126, 0x7, 0, "ISO 10126") \
	X(PKCS1_V1_5, 0x8, 0, "PKCS1 v1.5") \
	X(X9_31, 0x9, 0, "X9.31") \
	X(PSS, 0xa, 0, "PSS")

#define KMIP_HASH_LIST(X) \
	X(MD2, 0x1, 0, "MD2") \
	X(MD4, 0x2, 0, "MD4") \
	X(MD5, 0x3, 0, "MD5") \
	X(SHA_1, 0x4, 0, "SHA-1") \
	X(SHA_224, 0x5, 0, "SHA-224") \
	X(SHA_256, 0x6, 0, "SHA-256") \
	X(SHA_384, 0x7, 0, "SHA-384") \
	X(SHA_512, 0x8, 0, "SHA-512") \
	X(RIPEMD_160, 0x9, 0, "RIPEMD-160") \
	X(TIGER, 0xa, 0, "Tiger") \
	X(WHIRLPOOL, 0xb, 0, "Whirlpool") \
	X(SHA_512_224, 0xc, 2, "SHA-512/224") \
	X(SHA_512_256, 0xd, 2, "SHA-512/256") \
	X(SHA_3_224, 0xe, 4, "SHA-3-224") \
	X(SHA_3_256, 0xf, 4, "SHA-3-256") \
	X(SHA_3_384, 0x10, 4, "SHA-3-384") \
	X(SHA_3_512, 0x11, 4, "SHA-3-512")

#define KMIP_REVOCATION_LIST(X) \
	X(UNSPECIFIED, 0x1, 0, "Unspecified") \
	X(KEY_COMPROMISE, 0x2, 0, "Key Compromise") \
	X(CA_COMPROMISE, 0x3, 0, "CA Compromise") \
	X(AFFILIATION_CHANGED, 0x4, 0, "Affiliation Changed") \
	X(SUPERSEDED, 0x5, 0, "Superseded") \
	X(CESSATION_OF_OPERATION, 0x6, 0, "Cessation of Operation") \
	X(PRIVILEGE_WITHDRAWN, 0x7, 0, "Privilege Withdrawn")

#define KMIP_LINK_LIST(X) \
	X(CERTIFICATE_LINK, 0x101, 0, "Certificate Link") \
	X(PUBLIC_KEY_LINK, 0x102, 0, "Public Key Link") \
	X(PRIVATE_KEY_LINK, 0x103, 0, "Private Key Link") \
	X(DERIVATION_BASE_OBJECT_LINK, 0x104, 0, "Derivation Base Object Link") \
	X(DERIVED_KEY_LINK, 0x105, 0, "Derived Key Link") \
	X(REPLACEMENT_OBJECT_LINK, 0x106, 0, "Replacement Object Link") \
	X(REPLACED_OBJECT_LINK, 0x107, 0, "Replaced Object Link") \
	X(PARENT_LINK, 0x108, 2, "Parent Link") \
	X(CHILD_LINK, 0x109, 2, "Child Link") \
	X(PREVIOUS_LINK, 0x10a, 2, "Previous Link") \
	X(NEXT_LINK, 0x10b, 2, "Next Link") \
	X(PKCS12_CERTIFICATE_LINK, 0x10c, 4, "PKCS#12 Certificate Link") \
	X(PKCS12_PASSWORD_LINK, 0x10d, 4, "PKCS#12 Password Link")

#define KMIP_GROUP_MEMBER_LIST(X) \
	X(GROUP_MEMBER_FRESH, 0x1, 1, "Group Member Fresh") \
	X(GROUP_MEMBER_DEFAULT, 0x2, 1, "Group Member Default")

/* clang-format on */

#endif
