import BPF
import DivertEngine
import Firewall
import Glibc
import Kernel
import Packets
import RuleCompiler

/// Interfaces come and go, and so do their hooks.
extension LinuxHost {
  var hookedInterfaces: [NetworkInterface] {
    let bridged = Set(interfaces.filter { ["bridge", "bond", "team"].contains($0.kind) }.map(\.index))
    // A member's packets are judged on its master, which is the interface of the IP traffic.
    return interfaces.filter { !isLink($0.index) && !bridged.contains($0.master) }
  }

  private func isLink(_ index: UInt32) -> Bool {
    upcallLink.indexes.contains(index) || ports.links.contains(index)
  }

  /// Follows what rtnetlink says: new interfaces get their hooks, and rules that speak of interfaces are translated
  /// anew.
  package func refreshInterfaces() throws(HostError) {
    let found = try system { () throws(SystemError) in try NetworkInterface.all() }
    guard found != interfaces else { return }
    interfaces = found
    let hooked = hookedInterfaces
    let view = HostView(
      interfaces: hooked.map { interface in
        HostView.Interface(
          index: interface.index, name: interface.name,
          addresses4: interface.addresses4.map { IPv4Address(rawValue: $0) },
          addresses6: interface.addresses6.map { IPv6Address(high: $0.high, low: $0.low) })
      })
    try system { () throws(SystemError) in try updateMaps(from: engine.view, to: view, hooked) }
    let changed = view != engine.view
    engine.replace(view)

    let indexes = Set(hooked.map(\.index))
    for index in hooks.keys where !indexes.contains(index) { hooks[index] = nil }
    let needed = linkHeaderLengths
    if !programs.isEmpty, !needed.isSubset(of: programs.keys) || changed && engine.ruleSet.mentionsInterfaces
    {
      try enforce(engine.ruleSet)
    } else if programs.isEmpty {
      for length in needed {
        programs[length] = RuleProgramsBox(
          try RulePrograms(
            engine.ruleSet, host: engine.view, linkHeaderLength: length, secret: secret,
            upcallInterface: upcallLink.index, passingPorts: engine.passingPorts, maps: maps))
      }
    }
    for interface in hooked where hooks[interface.index] == nil {
      guard let box = programs[interface.hasLinkHeader ? 14 : 0] else { continue }
      do throws(SystemError) {
        hooks[interface.index] = try InterfaceHook(interface, box.programs, kept: kept)
      } catch {
        // Gone again already.
        if error.code != ENODEV { throw .system(error) }
      }
    }
    kept?.detachAll(besides: ports.links.union(hooks.keys).union(upcallLink.indexes))
  }

  private func updateMaps(
    from old: HostView, to new: HostView, _ hooked: [NetworkInterface]
  ) throws(SystemError) {
    let broadcasts = hooked.reduce(into: [UInt32.max: 0]) { known, interface in
      known.merge(interface.broadcasts4.map { ($0, interface.index) }) { first, _ in first }
    }
    let (old4, new4) = (Set(old.interfaces.flatMap(\.addresses4)), Set(new.interfaces.flatMap(\.addresses4)))
    for address in new4.subtracting(old4) { try maps.local4.update(address.rawValue.bigEndian, UInt8(1)) }
    for address in old4.subtracting(new4) { maps.local4.delete(address.rawValue.bigEndian) }
    let (old6, new6) = (Set(old.interfaces.flatMap(\.addresses6)), Set(new.interfaces.flatMap(\.addresses6)))
    for address in new6.subtracting(old6) { try maps.local6.update(address.networkBytes, UInt8(1)) }
    for address in old6.subtracting(new6) { maps.local6.delete(address.networkBytes) }

    for (address, index) in broadcasts where knownBroadcasts[address] != index {
      try maps.broadcast4.update(address.bigEndian, index)
    }
    for address in knownBroadcasts.keys where broadcasts[address] == nil {
      maps.broadcast4.delete(address.bigEndian)
    }
    knownBroadcasts = broadcasts

    for interface in hooked {
      let address = interface.linkAddress
      let device = HookInterface(
        address: (address[0], address[1], address[2], address[3], address[4], address[5]),
        mtu: interface.mtu, isLoopback: interface.isLoopback)
      try maps.interfaces.update(interface.index, device)
    }
    let devices = Set(hooked.map(\.index))
    for index in knownDevices.subtracting(devices) { maps.interfaces.delete(index) }
    knownDevices = devices
  }
}

extension IPv6Address {
  fileprivate var networkBytes: InlineArray<2, UInt64> { [high.bigEndian, low.bigEndian] }
}
