#!/bin/bash
# Boots a machine, and lets it run its user data: boot.sh NAME ADDRESS GATEWAY OUTSIDE USER_DATA
#
# This process is in the machine's own network namespace already. A pair of veths leads from there to the namespace of the process
# OUTSIDE, where the load balancer and the functions are; each end has one address and one route, so it needs no bridge. With the
# last process of the machine its namespace goes, and the pair with it.
set -euo pipefail
name=$1 address=$2 gateway=$3 outside=$4 user_data=$5
export PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up
ip link add eth0 type veth peer name "$name" netns "$outside"
ip address add "$address/32" dev eth0
ip link set eth0 up
ip route add "$gateway/32" dev eth0
ip route add default via "$gateway"
nsenter --net="/proc/$outside/ns/net" bash -euc '
    ip address add "$1/32" dev "$0"
    ip link set "$0" up
    ip route replace "$2/32" dev "$0"
' "$name" "$gateway" "$address"
exec bash "$user_data"
