#!/bin/bash
# User data of a machine with nginx as Debian ships it, a master and two workers, as a proxy of TCP before mosquitto: the ports
# that clients reach, and that the agent serves, are nginx's.
set -eu
@agent@
cat >mosquitto.conf <<END
listener 1883 127.0.0.1
allow_anonymous true
auto_id_prefix $INSTANCE.
user root
END
cat >nginx.conf <<END
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log nginx.log;
events { worker_connections 4096; }
stream { server { listen $SERVICE_PORT reuseport; proxy_pass 127.0.0.1:1883; proxy_timeout 1h; } }
END
mosquitto -c mosquitto.conf >mosquitto.log 2>&1 &
nginx -p "$PWD" -c nginx.conf >nginx.out 2>&1 &
wait -n
exit 1
