#!/bin/bash
# User data of a machine with mosquitto as Debian ships it. Clients learn from the names that it gives them which machine it is.
set -eu
@agent@
cat >mosquitto.conf <<END
listener $SERVICE_PORT
allow_anonymous true
auto_id_prefix $INSTANCE.
user root
END
mosquitto -c mosquitto.conf >mosquitto.log 2>&1 &
# A machine that has lost one of the two is broken.
wait -n
exit 1
