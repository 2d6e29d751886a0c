/*
 * Every tag of KMIP 1.0 to 1.4 (KMIP 1.4 section 9.1.3.1): identifier, value,
 * minor version that first defines it, name as the standard spells it.
 */
#ifndef KMS_KMIP_DEF_TAG_H
#define KMS_KMIP_DEF_TAG_H

/* clang-format off */
#define KMIP_TAG_LIST(X) \
	X(ACTIVATION_DATE, 0x420001, 0, "Activation Date") \
	X(APPLICATION_DATA, 0x420002, 0, "Application Data") \
	X(APPLICATION_NAMESPACE, 0x420003, 0, "Application Namespace") \
	X(APPLICATION_SPECIFIC_INFORMATION, 0x420004, 0, "Application Specific Information") \
	X(ARCHIVE_DATE, 0x420005, 0, "Archive Date") \
	X(ASYNCHRONOUS_CORRELATION_VALUE, 0x420006, 0, "Asynchronous Correlation Value") \
	X(ASYNCHRONOUS_INDICATOR, 0x420007, 0, "Asynchronous Indicator") \
	X(ATTRIBUTE, 0x420008, 0, "Attribute") \
	X(ATTRIBUTE_INDEX, 0x420009, 0, "Attribute Index") \
	X(ATTRIBUTE_NAME, 0x42000a, 0, "Attribute Name") \
	X(ATTRIBUTE_VALUE, 0x42000b, 0, "Attribute Value") \
	X(AUTHENTICATION, 0x42000c, 0, "Authentication") \
	X(BATCH_COUNT, 0x42000d, 0, "Batch Count") \
	X(BATCH_ERROR_CONTINUATION_OPTION, 0x42000e, 0, "Batch Error Continuation Option") \
	X(BATCH_ITEM, 0x42000f, 0, "Batch Item") \
	X(BATCH_ORDER_OPTION, 0x420010, 0, "Batch Order Option") \
	X(BLOCK_CIPHER_MODE, 0x420011, 0, "Block Cipher Mode") \
	X(CANCELLATION_RESULT, 0x420012, 0, "Cancellation Result") \
	X(CERTIFICATE, 0x420013, 0, "Certificate") \
	X(CERTIFICATE_REQUEST, 0x420018, 0, "Certificate Request") \
	X(CERTIFICATE_REQUEST_TYPE, 0x420019, 0, "Certificate Request Type") \
	X(CERTIFICATE_TYPE, 0x42001d, 0, "Certificate Type") \
	X(CERTIFICATE_VALUE, 0x42001e, 0, "Certificate Value") \
	X(COMMON_TEMPLATE_ATTRIBUTE, 0x42001f, 0, "Common Template-Attribute") \
	X(COMPROMISE_DATE, 0x420020, 0, "Compromise Date") \
	X(COMPROMISE_OCCURRENCE_DATE, 0x420021, 0, "Compromise Occurrence Date") \
	X(CONTACT_INFORMATION, 0x420022, 0, "Contact Information") \
	X(CREDENTIAL, 0x420023, 0, "Credential") \
	X(CREDENTIAL_TYPE, 0x420024, 0, "Credential Type") \
	X(CREDENTIAL_VALUE, 0x420025, 0, "Credential Value") \
	X(CRITICALITY_INDICATOR, 0x420026, 0, "Criticality Indicator") \
	X(CRT_COEFFICIENT, 0x420027, 0, "CRT Coefficient") \
	X(CRYPTOGRAPHIC_ALGORITHM, 0x420028, 0, "Cryptographic Algorithm") \
	X(CRYPTOGRAPHIC_DOMAIN_PARAMETERS, 0x420029, 0, "Cryptographic Domain Parameters") \
	X(CRYPTOGRAPHIC_LENGTH, 0x42002a, 0, "Cryptographic Length") \
	X(CRYPTOGRAPHIC_PARAMETERS, 0x42002b, 0, "Cryptographic Parameters") \
	X(CRYPTOGRAPHIC_USAGE_MASK, 0x42002c, 0, "Cryptographic Usage Mask") \
	X(CUSTOM_ATTRIBUTE, 0x42002d, 0, "Custom Attribute") \
	X(D, 0x42002e, 0, "D") \
	X(DEACTIVATION_DATE, 0x42002f, 0, "Deactivation Date") \
	X(DERIVATION_DATA, 0x420030, 0, "Derivation Data") \
	X(DERIVATION_METHOD, 0x420031, 0, "Derivation Method") \
	X(DERIVATION_PARAMETERS, 0x420032, 0, "Derivation Parameters") \
	X(DESTROY_DATE, 0x420033, 0, "Destroy Date") \
	X(DIGEST, 0x420034, 0, "Digest") \
	X(DIGEST_VALUE, 0x420035, 0, "Digest Value") \
	X(ENCRYPTION_KEY_INFORMATION, 0x420036, 0, "Encryption Key Information") \
	X(G, 0x420037, 0, "G") \
	X(HASHING_ALGORITHM, 0x420038, 0, "Hashing Algorithm") \
	X(INITIAL_DATE, 0x420039, 0, "Initial Date") \
	X(INITIALIZATION_VECTOR, 0x42003a, 0, "Initialization Vector") \
	X(ITERATION_COUNT, 0x42003c, 0, "Iteration Count") \
	X(IV_COUNTER_NONCE, 0x42003d, 0, "IV/Counter/Nonce") \
	X(J, 0x42003e, 0, "J") \
	X(KEY, 0x42003f, 0, "Key") \
	X(KEY_BLOCK, 0x420040, 0, "Key Block") \
	X(KEY_COMPRESSION_TYPE, 0x420041, 0, "Key Compression Type") \
	X(KEY_FORMAT_TYPE, 0x420042, 0, "Key Format Type") \
	X(KEY_MATERIAL, 0x420043, 0, "Key Material") \
	X(KEY_PART_IDENTIFIER, 0x420044, 0, "Key Part Identifier") \
	X(KEY_VALUE, 0x420045, 0, "Key Value") \
	X(KEY_WRAPPING_DATA, 0x420046, 0, "Key Wrapping Data") \
	X(KEY_WRAPPING_SPECIFICATION, 0x420047, 0, "Key Wrapping Specification") \
	X(LAST_CHANGE_DATE, 0x420048, 0, "Last Change Date") \
	X(LEASE_TIME, 0x420049, 0, "Lease Time") \
	X(LINK, 0x42004a, 0, "Link") \
	X(LINK_TYPE, 0x42004b, 0, "Link Type") \
	X(LINKED_OBJECT_IDENTIFIER, 0x42004c, 0, "Linked Object Identifier") \
	X(MAC_SIGNATURE, 0x42004d, 0, "MAC/Signature") \
	X(MAC_SIGNATURE_KEY_INFORMATION, 0x42004e, 0, "MAC/Signature Key Information") \
	X(MAXIMUM_ITEMS, 0x42004f, 0, "Maximum Items") \
	X(MAXIMUM_RESPONSE_SIZE, 0x420050, 0, "Maximum Response Size") \
	X(MESSAGE_EXTENSION, 0x420051, 0, "Message Extension") \
	X(MODULUS, 0x420052, 0, "Modulus") \
	X(NAME, 0x420053, 0, "Name") \
	X(NAME_TYPE, 0x420054, 0, "Name Type") \
	X(NAME_VALUE, 0x420055, 0, "Name Value") \
	X(OBJECT_GROUP, 0x420056, 0, "Object Group") \
	X(OBJECT_TYPE, 0x420057, 0, "Object Type") \
	X(OFFSET, 0x420058, 0, "Offset") \
	X(OPAQUE_DATA_TYPE, 0x420059, 0, "Opaque Data Type") \
	X(OPAQUE_DATA_VALUE, 0x42005a, 0, "Opaque Data Value") \
	X(OPAQUE_OBJECT, 0x42005b, 0, "Opaque Object") \
	X(OPERATION, 0x42005c, 0, "Operation") \
	X(OPERATION_POLICY_NAME, 0x42005d, 0, "Operation Policy Name") \
	X(P, 0x42005e, 0, "P") \
	X(PADDING_METHOD, 0x42005f, 0, "Padding Method") \
	X(PRIME_EXPONENT_P, 0x420060, 0, "Prime Exponent P") \
	X(PRIME_EXPONENT_Q, 0x420061, 0, "Prime Exponent Q") \
	X(PRIME_FIELD_SIZE, 0x420062, 0, "Prime Field Size") \
	X(PRIVATE_EXPONENT, 0x420063, 0, "Private Exponent") \
	X(PRIVATE_KEY, 0x420064, 0, "Private Key") \
	X(PRIVATE_KEY_TEMPLATE_ATTRIBUTE, 0x420065, 0, "Private Key Template-Attribute") \
	X(PRIVATE_KEY_UNIQUE_IDENTIFIER, 0x420066, 0, "Private Key Unique Identifier") \
	X(PROCESS_START_DATE, 0x420067, 0, "Process Start Date") \
	X(PROTECT_STOP_DATE, 0x420068, 0, "Protect Stop Date") \
	X(PROTOCOL_VERSION, 0x420069, 0, "Protocol Version") \
	X(PROTOCOL_VERSION_MAJOR, 0x42006a, 0, "Protocol Version Major") \
	X(PROTOCOL_VERSION_MINOR, 0x42006b, 0, "Protocol Version Minor") \
	X(PUBLIC_EXPONENT, 0x42006c, 0, "Public Exponent") \
	X(PUBLIC_KEY, 0x42006d, 0, "Public Key") \
	X(PUBLIC_KEY_TEMPLATE_ATTRIBUTE, 0x42006e, 0, "Public Key Template-Attribute") \
	X(PUBLIC_KEY_UNIQUE_IDENTIFIER, 0x42006f, 0, "Public Key Unique Identifier") \
	X(PUT_FUNCTION, 0x420070, 0, "Put Function") \
	X(Q, 0x420071, 0, "Q") \
	X(Q_STRING, 0x420072, 0, "Q String") \
	X(QLENGTH, 0x420073, 0, "Qlength") \
	X(QUERY_FUNCTION, 0x420074, 0, "Query Function") \
	X(RECOMMENDED_CURVE, 0x420075, 0, "Recommended Curve") \
	X(REPLACED_UNIQUE_IDENTIFIER, 0x420076, 0, "Replaced Unique Identifier") \
	X(REQUEST_HEADER, 0x420077, 0, "Request Header") \
	X(REQUEST_MESSAGE, 0x420078, 0, "Request Message") \
	X(REQUEST_PAYLOAD, 0x420079, 0, "Request Payload") \
	X(RESPONSE_HEADER, 0x42007a, 0, "Response Header") \
	X(RESPONSE_MESSAGE, 0x42007b, 0, "Response Message") \
	X(RESPONSE_PAYLOAD, 0x42007c, 0, "Response Payload") \
	X(RESULT_MESSAGE, 0x42007d, 0, "Result Message") \
	X(RESULT_REASON, 0x42007e, 0, "Result Reason") \
	X(RESULT_STATUS, 0x42007f, 0, "Result Status") \
	X(REVOCATION_MESSAGE, 0x420080, 0, "Revocation Message") \
	X(REVOCATION_REASON, 0x420081, 0, "Revocation Reason") \
	X(REVOCATION_REASON_CODE, 0x420082, 0, "Revocation Reason Code") \
	X(KEY_ROLE_TYPE, 0x420083, 0, "Key Role Type") \
	X(SALT, 0x420084, 0, "Salt") \
	X(SECRET_DATA, 0x420085, 0, "Secret Data") \
	X(SECRET_DATA_TYPE, 0x420086, 0, "Secret Data Type") \
	X(SERVER_INFORMATION, 0x420088, 0, "Server Information") \
	X(SPLIT_KEY, 0x420089, 0, "Split Key") \
	X(SPLIT_KEY_METHOD, 0x42008a, 0, "Split Key Method") \
	X(SPLIT_KEY_PARTS, 0x42008b, 0, "Split Key Parts") \
	X(SPLIT_KEY_THRESHOLD, 0x42008c, 0, "Split Key Threshold") \
	X(STATE, 0x42008d, 0, "State") \
	X(STORAGE_STATUS_MASK, 0x42008e, 0, "Storage Status Mask") \
	X(SYMMETRIC_KEY, 0x42008f, 0, "Symmetric Key") \
	X(TEMPLATE, 0x420090, 0, "Template") \
	X(TEMPLATE_ATTRIBUTE, 0x420091, 0, "Template-Attribute") \
	X(TIME_STAMP, 0x420092, 0, "Time Stamp") \
	X(UNIQUE_BATCH_ITEM_ID, 0x420093, 0, "Unique Batch Item ID") \
	X(UNIQUE_IDENTIFIER, 0x420094, 0, "Unique Identifier") \
	X(USAGE_LIMITS, 0x420095, 0, "Usage Limits") \
	X(USAGE_LIMITS_COUNT, 0x420096, 0, "Usage Limits Count") \
	X(USAGE_LIMITS_TOTAL, 0x420097, 0, "Usage Limits Total") \
	X(USAGE_LIMITS_UNIT, 0x420098, 0, "Usage Limits Unit") \
	X(USERNAME, 0x420099, 0, "Username") \
	X(VALIDITY_DATE, 0x42009a, 0, "Validity Date") \
	X(VALIDITY_INDICATOR, 0x42009b, 0, "Validity Indicator") \
	X(VENDOR_EXTENSION, 0x42009c, 0, "Vendor Extension") \
	X(VENDOR_IDENTIFICATION, 0x42009d, 0, "Vendor Identification") \
	X(WRAPPING_METHOD, 0x42009e, 0, "Wrapping Method") \
	X(X, 0x42009f, 0, "X") \
	X(Y, 0x4200a0, 0, "Y") \
	X(PASSWORD, 0x4200a1, 0, "Password") \
	X(DEVICE_IDENTIFIER, 0x4200a2, 1, "Device Identifier") \
	X(ENCODING_OPTION, 0x4200a3, 1, "Encoding Option") \
	X(EXTENSION_INFORMATION, 0x4200a4, 1, "Extension Information") \
	X(EXTENSION_NAME, 0x4200a5, 1, "Extension Name") \
	X(EXTENSION_TAG, 0x4200a6, 1, "Extension Tag") \
	X(EXTENSION_TYPE, 0x4200a7, 1, "Extension Type") \
	X(FRESH, 0x4200a8, 1, "Fresh") \
	X(MACHINE_IDENTIFIER, 0x4200a9, 1, "Machine Identifier") \
	X(MEDIA_IDENTIFIER, 0x4200aa, 1, "Media Identifier") \
	X(NETWORK_IDENTIFIER, 0x4200ab, 1, "Network Identifier") \
	X(OBJECT_GROUP_MEMBER, 0x4200ac, 1, "Object Group Member") \
	X(CERTIFICATE_LENGTH, 0x4200ad, 1, "Certificate Length") \
	X(DIGITAL_SIGNATURE_ALGORITHM, 0x4200ae, 1, "Digital Signature Algorithm") \
	X(CERTIFICATE_SERIAL_NUMBER, 0x4200af, 1, "Certificate Serial Number") \
	X(DEVICE_SERIAL_NUMBER, 0x4200b0, 1, "Device Serial Number") \
	X(ISSUER_ALTERNATIVE_NAME, 0x4200b1, 1, "Issuer Alternative Name") \
	X(ISSUER_DISTINGUISHED_NAME, 0x4200b2, 1, "Issuer Distinguished Name") \
	X(SUBJECT_ALTERNATIVE_NAME, 0x4200b3, 1, "Subject Alternative Name") \
	X(SUBJECT_DISTINGUISHED_NAME, 0x4200b4, 1, "Subject Distinguished Name") \
	X(X_509_CERTIFICATE_IDENTIFIER, 0x4200b5, 1, "X.509 Certificate Identifier") \
	X(X_509_CERTIFICATE_ISSUER, 0x4200b6, 1, "X.509 Certificate Issuer") \
	X(X_509_CERTIFICATE_SUBJECT, 0x4200b7, 1, "X.509 Certificate Subject") \
	X(KEY_VALUE_LOCATION, 0x4200b8, 2, "Key Value Location") \
	X(KEY_VALUE_LOCATION_VALUE, 0x4200b9, 2, "Key Value Location Value") \
	X(KEY_VALUE_LOCATION_TYPE, 0x4200ba, 2, "Key Value Location Type") \
	X(KEY_VALUE_PRESENT, 0x4200bb, 2, "Key Value Present") \
	X(ORIGINAL_CREATION_DATE, 0x4200bc, 2, "Original Creation Date") \
	X(PGP_KEY, 0x4200bd, 2, "PGP Key") \
	X(PGP_KEY_VERSION, 0x4200be, 2, "PGP Key Version") \
	X(ALTERNATIVE_NAME, 0x4200bf, 2, "Alternative Name") \
	X(ALTERNATIVE_NAME_VALUE, 0x4200c0, 2, "Alternative Name Value") \
	X(ALTERNATIVE_NAME_TYPE, 0x4200c1, 2, "Alternative Name Type") \
	X(DATA, 0x4200c2, 2, "Data") \
	X(SIGNATURE_DATA, 0x4200c3, 2, "Signature Data") \
	X(DATA_LENGTH, 0x4200c4, 2, "Data Length") \
	X(RANDOM_IV, 0x4200c5, 2, "Random IV") \
	X(MAC_DATA, 0x4200c6, 2, "MAC Data") \
	X(ATTESTATION_TYPE, 0x4200c7, 2, "Attestation Type") \
	X(NONCE, 0x4200c8, 2, "Nonce") \
	X(NONCE_ID, 0x4200c9, 2, "Nonce ID") \
	X(NONCE_VALUE, 0x4200ca, 2, "Nonce Value") \
	X(ATTESTATION_MEASUREMENT, 0x4200cb, 2, "Attestation Measurement") \
	X(ATTESTATION_ASSERTION, 0x4200cc, 2, "Attestation Assertion") \
	X(IV_LENGTH, 0x4200cd, 2, "IV Length") \
	X(TAG_LENGTH, 0x4200ce, 2, "Tag Length") \
	X(FIXED_FIELD_LENGTH, 0x4200cf, 2, "Fixed Field Length") \
	X(COUNTER_LENGTH, 0x4200d0, 2, "Counter Length") \
	X(INITIAL_COUNTER_VALUE, 0x4200d1, 2, "Initial Counter Value") \
	X(INVOCATION_FIELD_LENGTH, 0x4200d2, 2, "Invocation Field Length") \
	X(ATTESTATION_CAPABLE_INDICATOR, 0x4200d3, 2, "Attestation Capable Indicator") \
	X(OFFSET_ITEMS, 0x4200d4, 3, "Offset Items") \
	X(LOCATED_ITEMS, 0x4200d5, 3, "Located Items") \
	X(CORRELATION_VALUE, 0x4200d6, 3, "Correlation Value") \
	X(INIT_INDICATOR, 0x4200d7, 3, "Init Indicator") \
	X(FINAL_INDICATOR, 0x4200d8, 3, "Final Indicator") \
	X(RNG_PARAMETERS, 0x4200d9, 3, "RNG Parameters") \
	X(RNG_ALGORITHM, 0x4200da, 3, "RNG Algorithm") \
	X(DRBG_ALGORITHM, 0x4200db, 3, "DRBG Algorithm") \
	X(FIPS186_VARIATION, 0x4200dc, 3, "FIPS186 Variation") \
	X(PREDICTION_RESISTANCE, 0x4200dd, 3, "Prediction Resistance") \
	X(RANDOM_NUMBER_GENERATOR, 0x4200de, 3, "Random Number Generator") \
	X(VALIDATION_INFORMATION, 0x4200df, 3, "Validation Information") \
	X(VALIDATION_AUTHORITY_TYPE, 0x4200e0, 3, "Validation Authority Type") \
	X(VALIDATION_AUTHORITY_COUNTRY, 0x4200e1, 3, "Validation Authority Country") \
	X(VALIDATION_AUTHORITY_URI, 0x4200e2, 3, "Validation Authority URI") \
	X(VALIDATION_VERSION_MAJOR, 0x4200e3, 3, "Validation Version Major") \
	X(VALIDATION_VERSION_MINOR, 0x4200e4, 3, "Validation Version Minor") \
	X(VALIDATION_TYPE, 0x4200e5, 3, "Validation Type") \
	X(VALIDATION_LEVEL, 0x4200e6, 3, "Validation Level") \
	X(VALIDATION_CERTIFICATE_IDENTIFIER, 0x4200e7, 3, \
	    "Validation Certificate Identifier") \
	X(VALIDATION_CERTIFICATE_URI, 0x4200e8, 3, "Validation Certificate URI") \
	X(VALIDATION_VENDOR_URI, 0x4200e9, 3, "Validation Vendor URI") \
	X(VALIDATION_PROFILE, 0x4200ea, 3, "Validation Profile") \
	X(PROFILE_INFORMATION, 0x4200eb, 3, "Profile Information") \
	X(PROFILE_NAME, 0x4200ec, 3, "Profile Name") \
	X(SERVER_URI, 0x4200ed, 3, "Server URI") \
	X(SERVER_PORT, 0x4200ee, 3, "Server Port") \
	X(STREAMING_CAPABILITY, 0x4200ef, 3, "Streaming Capability") \
	X(ASYNCHRONOUS_CAPABILITY, 0x4200f0, 3, "Asynchronous Capability") \
	X(ATTESTATION_CAPABILITY, 0x4200f1, 3, "Attestation Capability") \
	X(UNWRAP_MODE, 0x4200f2, 3, "Unwrap Mode") \
	X(DESTROY_ACTION, 0x4200f3, 3, "Destroy Action") \
	X(SHREDDING_ALGORITHM, 0x4200f4, 3, "Shredding Algorithm") \
	X(RNG_MODE, 0x4200f5, 3, "RNG Mode") \
	X(CLIENT_REGISTRATION_METHOD, 0x4200f6, 3, "Client Registration Method") \
	X(CAPABILITY_INFORMATION, 0x4200f7, 3, "Capability Information") \
	X(KEY_WRAP_TYPE, 0x4200f8, 4, "Key Wrap Type") \
	X(BATCH_UNDO_CAPABILITY, 0x4200f9, 4, "Batch Undo Capability") \
	X(BATCH_CONTINUE_CAPABILITY, 0x4200fa, 4, "Batch Continue Capability") \
	X(PKCS12_FRIENDLY_NAME, 0x4200fb, 4, "PKCS#12 Friendly Name") \
	X(DESCRIPTION, 0x4200fc, 4, "Description") \
	X(COMMENT, 0x4200fd, 4, "Comment") \
	X(AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA, 0x4200fe, 4, \
	    "Authenticated Encryption Additional Data") \
	X(AUTHENTICATED_ENCRYPTION_TAG, 0x4200ff, 4, "Authenticated Encryption Tag") \
	X(SALT_LENGTH, 0x420100, 4, "Salt Length") \
	X(MASK_GENERATOR, 0x420101, 4, "Mask Generator") \
	X(MASK_GENERATOR_HASHING_ALGORITHM, 0x420102, 4, "Mask Generator Hashing Algorithm") \
	X(P_SOURCE, 0x420103, 4, "P Source") \
	X(TRAILER_FIELD, 0x420104, 4, "Trailer Field") \
	X(CLIENT_CORRELATION_VALUE, 0x420105, 4, "Client Correlation Value") \
	X(SERVER_CORRELATION_VALUE, 0x420106, 4, "Server Correlation Value") \
	X(DIGESTED_DATA, 0x420107, 4, "Digested Data") \
	X(CERTIFICATE_SUBJECT_CN, 0x420108, 4, "Certificate Subject CN") \
	X(CERTIFICATE_SUBJECT_O, 0x420109, 4, "Certificate Subject O") \
	X(CERTIFICATE_SUBJECT_OU, 0x42010a, 4, "Certificate Subject OU") \
	X(CERTIFICATE_SUBJECT_EMAIL, 0x42010b, 4, "Certificate Subject Email") \
	X(CERTIFICATE_SUBJECT_C, 0x42010c, 4, "Certificate Subject C") \
	X(CERTIFICATE_SUBJECT_ST, 0x42010d, 4, "Certificate Subject ST") \
	X(CERTIFICATE_SUBJECT_L, 0x42010e, 4, "Certificate Subject L") \
	X(CERTIFICATE_SUBJECT_UID, 0x42010f, 4, "Certificate Subject UID") \
	X(CERTIFICATE_SUBJECT_SERIAL_NUMBER, 0x420110, 4, \
	    "Certificate Subject Serial Number") \
	X(CERTIFICATE_SUBJECT_TITLE, 0x420111, 4, "Certificate Subject Title") \
	X(CERTIFICATE_SUBJECT_DC, 0x420112, 4, "Certificate Subject DC") \
	X(CERTIFICATE_SUBJECT_DN_QUALIFIER, 0x420113, 4, "Certificate Subject DN Qualifier") \
	X(CERTIFICATE_ISSUER_CN, 0x420114, 4, "Certificate Issuer CN") \
	X(CERTIFICATE_ISSUER_O, 0x420115, 4, "Certificate Issuer O") \
	X(CERTIFICATE_ISSUER_OU, 0x420116, 4, "Certificate Issuer OU") \
	X(CERTIFICATE_ISSUER_EMAIL, 0x420117, 4, "Certificate Issuer Email") \
	X(CERTIFICATE_ISSUER_C, 0x420118, 4, "Certificate Issuer C") \
	X(CERTIFICATE_ISSUER_ST, 0x420119, 4, "Certificate Issuer ST") \
	X(CERTIFICATE_ISSUER_L, 0x42011a, 4, "Certificate Issuer L") \
	X(CERTIFICATE_ISSUER_UID, 0x42011b, 4, "Certificate Issuer UID") \
	X(CERTIFICATE_ISSUER_SERIAL_NUMBER, 0x42011c, 4, "Certificate Issuer Serial Number") \
	X(CERTIFICATE_ISSUER_TITLE, 0x42011d, 4, "Certificate Issuer Title") \
	X(CERTIFICATE_ISSUER_DC, 0x42011e, 4, "Certificate Issuer DC") \
	X(CERTIFICATE_ISSUER_DN_QUALIFIER, 0x42011f, 4, "Certificate Issuer DN Qualifier") \
	X(SENSITIVE, 0x420120, 4, "Sensitive") \
	X(ALWAYS_SENSITIVE, 0x420121, 4, "Always Sensitive") \
	X(EXTRACTABLE, 0x420122, 4, "Extractable") \
	X(NEVER_EXTRACTABLE, 0x420123, 4, "Never Extractable") \
	X(REPLACE_EXISTING, 0x420124, 4, "Replace Existing")
/* clang-format on */

#endif
