/* admin_reload - POST /api/v1/reload. */
#include "gateway/admin_impl.h"

void admin_reload(struct admin *admin, struct http_request *request)
{
    (void)admin;
    admin_refuse(request, 501, "this version does not reload: stop and start it");
}
