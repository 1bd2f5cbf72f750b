# Of every machine's user data: the agent before the server. On EC2 systemd does this, by the unit of the package, and the agent
# asks the metadata service which instance it is.
cat >agent.toml <<END
ports = [$SERVICE_PORT]
listen = "0.0.0.0:$SESSION_PORT"
instance = "$INSTANCE"
stateFile = "agent-state.json"
idleAfterSeconds = 2
answerWithinSeconds = 2
keepaliveBytes = 8
closeIdle = true
END
ebbtide-agent --config agent.toml 2>agent.log &
agent=$!
# It answers once its rules stand: only then may the server start.
answers() {
    exec 3<>"/dev/tcp/127.0.0.1/$SESSION_PORT"
    printf 'GET /health HTTP/1.0\r\n\r\n' >&3
    read -rt 5 <&3
}
until (answers) 2>/dev/null; do
    kill -0 "$agent" || exit 1
    sleep 0.05
done
