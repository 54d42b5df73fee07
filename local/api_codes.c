/* api_codes - see api_codes.h. */
#include "local/api_codes.h"

#include <stddef.h>
#include <string.h>

static const char *const codes[] = {
    /* of all products (CMQ.md 8.4) */
    "ActionOffline",
    "AuthFailure.InvalidAuthorization",
    "AuthFailure.InvalidSecretId",
    "AuthFailure.SecretIdNotFound",
    "AuthFailure.SignatureExpire",
    API_SIGNATURE_FAILURE,
    "AuthFailure.TokenFailure",
    "AuthFailure.UnauthorizedOperation",
    "FailedOperation",
    "InternalError",
    "InvalidAction",
    "InvalidParameter",
    "InvalidParameterValue",
    "InvalidRequest",
    "LimitExceeded",
    "MissingParameter",
    "NoSuchVersion",
    "RequestLimitExceeded",
    "ResourceInUse",
    "ResourceNotFound",
    "ResourceUnavailable",
    "UnknownParameter",
    "UnsupportedOperation",
    "UnsupportedProtocol",
    "UnsupportedRegion",
    /* of this one (CMQ.md 8.5) */
    "FailedOperation.CmqBackendError",
    "FailedOperation.CreateCluster",
    "FailedOperation.CreateSubscription",
    "FailedOperation.CreateTopic",
    "FailedOperation.DeleteCluster",
    "FailedOperation.DeleteSubscriptions",
    "FailedOperation.DeleteTopics",
    "FailedOperation.SetRetentionPolicy",
    "FailedOperation.SetTTL",
    "InternalError.BrokerService",
    "LimitExceeded.Topics",
    "ResourceInUse.Queue",
    "ResourceInUse.Subscription",
    "ResourceInUse.Topic",
    "ResourceNotFound.Environment",
    "ResourceNotFound.Topic",
    "ResourceUnavailable.CreateFailed",
    "ResourceUnavailable.FundRequired",
};

const char *api_code_find(const char *code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(codes[i], code) == 0)
            return codes[i];
    }
    return NULL;
}
