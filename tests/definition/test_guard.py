"""The guard of the stack: what it is asked before, and that nothing is deleted or changed first."""

import re

from definition import resources, strings, template, transformed


def needs(resource):
    """What a resource of the transformed template waits for, by name."""
    found = set()

    def walk(part):
        if isinstance(part, dict):
            for key, value in part.items():
                if key == "Ref":
                    found.add(value)
                elif key == "Fn::GetAtt":
                    found.add(value[0] if isinstance(value, list) else value.split(".")[0])
                elif key == "Fn::Sub":
                    text = value if isinstance(value, str) else value[0]
                    found.update(re.findall(r"\$\{(\w+)", text))
                walk(value)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk({key: value for key, value in resource.items() if key != "DependsOn"})
    after = resource.get("DependsOn", [])
    return found | set([after] if isinstance(after, str) else after)


def graph():
    created = transformed()["Resources"]
    return {name: needs(resource) & set(created) for name, resource in created.items()}


def all_before(name, waits):
    """Everything that a resource waits for, by whatever way: it is deleted before all of that."""
    reached, open_ends = set(), {name}
    while open_ends:
        open_ends = {each for end in open_ends for each in waits[end]} - reached
        reached |= open_ends
    return reached


def test_the_deletion_s_guard_is_deleted_before_everything_else():
    waits = graph()
    assert all_before("DeletionGuard", waits) == set(waits) - {"DeletionGuard"}


def test_whatever_has_a_guarded_setting_waits_for_the_settings_guard():
    """But what the guard itself needs: its role and its function have none of them."""
    waits = graph()
    guarded = {"ServiceName", "ListenerArn", "TargetGroupArns"}
    of_the_guard = all_before("SettingsGuard", waits) | {"SettingsGuard"}
    for name, resource in transformed()["Resources"].items():
        texts = {text for _, text in strings(resource)} | {word for _, text in strings(resource) for word in re.findall(r"\$\{(\w+)", text)}
        if guarded & texts and name != "SettingsGuard":
            assert name not in of_the_guard, name
            assert "SettingsGuard" in all_before(name, waits), name
    properties = template()["Resources"]["SettingsGuard"]["Properties"]
    assert guarded <= set(properties) and all(properties[name] == {"Ref": name} for name in guarded)


def test_cloudformation_waits_minutes_for_the_guard_and_not_an_hour():
    """The function has a minute, and Lambda calls it again twice where it fails."""
    for name in ("SettingsGuard", "DeletionGuard"):
        guard = template()["Resources"][name]
        assert guard["Properties"]["ServiceTimeout"] == 180 and "DeletionPolicy" not in guard
    assert resources("AWS::Lambda::Function")["GuardStackFunction"]["Timeout"] == 60
