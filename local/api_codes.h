/* api_codes - the error codes of API 3.0 that this service has (CMQ.md 8.4, 8.5). Pure; any thread.
 */
#ifndef LOCAL_API_CODES_H
#define LOCAL_API_CODES_H

#define API_SIGNATURE_FAILURE "AuthFailure.SignatureFailure"
#define API_SIGNATURE_TEXT                                                                         \
    "The provided credentials could not be validated. Please check your signature is correct."

/* The code, as a constant, or NULL when the service has no such code. */
const char *api_code_find(const char *code);

#endif
