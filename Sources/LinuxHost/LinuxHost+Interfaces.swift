import BPF
import DivertEngine
import Firewall
import Glibc
import Kernel
import Packets
import RuleCompiler

/// Interfaces come and go, and so do their hooks.
extension LinuxHost {
  /// Compares the interfaces that there are with what is attached to them. New ones get at once what is in force; hooks
  /// that are missing for any other reason are attached, too.
  ///
  /// - Returns: What is to be logged: failures, each when it is met for the first time, and their end.
  package func followInterfaces() -> [String] {
    var lines: [String] = []
    do throws(HostError) {
      try refreshInterfaces()
      interfaceFailure = nil
    } catch {
      let text = "follow the interfaces: \(error)"
      if text != interfaceFailure { lines.append(text) }
      interfaceFailure = text
    }
    return lines + reportHooks()
  }

  /// Whether ``followInterfaces()`` has to be called again though nothing changes: something failed that may succeed
  /// later.
  package var mustFollowAgain: Bool {
    interfaceFailure != nil || hasLostHooks || mustRenewPrograms
      || withoutRules.values.contains { $0.error != nil }
  }

  /// Whether the rules in force have to be prepared anew, for other interfaces than they were prepared for.
  package var mustRenewPrograms: Bool { programsAreStale || !shapes.isSubset(of: programs.keys) }

  /// A line for each interface that is without rules since the last call, and for each that has them again.
  private func reportHooks() -> [String] {
    var lines: [String] = []
    for (index, entry) in withoutRules.sorted(by: { $0.key < $1.key }) where reported[index] != entry.reason {
      lines.append("no rules on \(entry.name): \(entry.reason)")
    }
    for index in reported.keys.sorted() where withoutRules[index] == nil && hooks[index] != nil {
      guard let interface = interfaces.first(where: { $0.index == index }) else { continue }
      lines.append("the rules are in force on \(interface.name) now")
    }
    reported = withoutRules.mapValues(\.reason)
    return lines
  }

  func refreshInterfaces() throws(HostError) {
    try system { () throws(SystemError) in try refreshLocalRoutes() }
    let found = try system { () throws(SystemError) in try NetworkInterface.all(interfaceQueries) }
    for (index, hook) in hooks where !hook.isAttached { hooks[index] = nil }
    hasLostHooks = false
    let own = found.filter { !isLink($0.index) }
    var wanted: [(interface: NetworkInterface, shape: HookShape)] = []
    var unreadable: [UInt32: InterfaceWithoutRules] = [:]
    for interface in own {
      switch InterfaceTraffic(of: interface) {
      case .judged(var shape):
        shape.hasChildren = own.contains { $0.isChild && $0.parent == interface.index }
        shape.isMember = interface.ownGroups(among: own) != nil
        wanted.append((interface, shape))
      case .none: break
      case .unreadable(let reason):
        unreadable[interface.index] = InterfaceWithoutRules(interface.name, reason)
      }
    }
    withoutRules = unreadable
    let view = HostView(interfaces: own)
    if found != interfaces {
      try system { () throws(SystemError) in
        try updateMaps(from: self.view, to: view, wanted.map(\.interface))
        try updatePassages(own)
      }
    }
    if engine.ruleSet.distinguishes(self.view, from: view) { programsAreStale = true }
    interfaces = found
    self.view = view

    let indexes = Set(wanted.map(\.interface.index))
    for index in hooks.keys where !indexes.contains(index) { hooks[index] = nil }
    shapes = Set(wanted.map(\.shape))
    if programs.isEmpty { try enforce(engine.ruleSet) }
    for (interface, shape) in wanted where hooks[interface.index]?.shape != shape {
      attach(to: interface, shape)
    }
    kept?.detachAll(besides: ports.links.union(indexes).union(upcallLink.indexes))
  }

  /// Attaches the programs in force, or where these do not know the interface yet, such as have all rules judged in user
  /// space, where they are in force already.
  private func attach(to interface: NetworkInterface, _ shape: HookShape) {
    let index = interface.index
    do throws(HostError) {
      let current = programsAreStale ? nil : programs[shape]
      let box = if let current { current } else { try upwardPrograms(shape) }
      try system { () throws(SystemError) in
        if let hook = hooks[index] {
          try hook.replace(with: box.programs, shape)
        } else {
          hooks[index] = try InterfaceHook(index, shape, box.programs, kept: kept)
        }
      }
      if current == nil { judgedAbove.insert(index) } else { judgedAbove.remove(index) }
    } catch {
      // Gone again already.
      guard error.code != ENODEV, error.code != ENOLINK else { return }
      withoutRules[index] = InterfaceWithoutRules(interface.name, error)
    }
  }

  private func upwardPrograms(_ shape: HookShape) throws(HostError) -> RuleProgramsBox {
    if let box = upwardPrograms[shape] { return box }
    let box = RuleProgramsBox(
      try RulePrograms(
        shape: shape, secret: secret, upcallInterface: upcallLink.index, judgesInUserSpace: true, maps: maps))
    upwardPrograms[shape] = box
    return box
  }

  private func isLink(_ index: UInt32) -> Bool {
    upcallLink.indexes.contains(index) || ports.links.contains(index)
  }

  private func updateMaps(
    from old: HostView, to new: HostView, _ hooked: [NetworkInterface]
  ) throws(SystemError) {
    let broadcasts = hooked.reduce(into: [UInt32.max: 0]) { known, interface in
      known.merge(interface.broadcasts4.map { ($0, interface.index) }) { first, _ in first }
    }
    let (old4, new4) = (old.owners(\.addresses4), new.owners(\.addresses4))
    for (address, owner) in new4 where old4[address] != owner {
      try maps.local4.update(address.rawValue.bigEndian, owner)
    }
    for address in old4.keys where new4[address] == nil { maps.local4.delete(address.rawValue.bigEndian) }
    let (old6, new6) = (old.owners(\.addresses6), new.owners(\.addresses6))
    for (address, owner) in new6 where old6[address] != owner {
      try maps.local6.update(address.networkBytes, owner)
    }
    for address in old6.keys where new6[address] == nil { maps.local6.delete(address.networkBytes) }

    for (address, index) in broadcasts where knownBroadcasts[address] != index {
      try maps.broadcast4.update(address.bigEndian, index)
    }
    for address in knownBroadcasts.keys where broadcasts[address] == nil {
      maps.broadcast4.delete(address.bigEndian)
    }
    knownBroadcasts = broadcasts

    for interface in hooked {
      let address = interface.linkAddress
      var device = HookInterface(
        address: (address[0], address[1], address[2], address[3], address[4], address[5]),
        mtu: interface.mtu, isLoopback: interface.isLoopback, isUp: interface.isUp,
        needsRoute: interface.mayNeedRoute)
      device.flags |= interface.vlanFlags(among: hooked)
      device.groups = interface.ownGroups(among: hooked) ?? 0
      try maps.interfaces.update(interface.index, device)
    }
    let devices = Set(hooked.map(\.index))
    for index in knownDevices.subtracting(devices) { maps.interfaces.delete(index) }
    knownDevices = devices
  }
}

extension LinuxHost {
  private func refreshLocalRoutes() throws(SystemError) {
    let found = try LocalRoute.all(routeQueries)
    for route in found.subtracting(knownLocalRoutes) {
      if route.isVersion6 {
        try maps.localRoutes6.update(LocalRouteKey(route), UInt32(0))
      } else {
        try maps.localRoutes4.update(route.key4, UInt32(0))
      }
    }
    for route in knownLocalRoutes.subtracting(found) {
      if route.isVersion6 {
        maps.localRoutes6.delete(LocalRouteKey(route))
      } else {
        maps.localRoutes4.delete(route.key4)
      }
    }
    knownLocalRoutes = found
  }

  private func updatePassages(_ interfaces: [NetworkInterface]) throws(SystemError) {
    let returning = Set(interfaces.filter { $0.kind == "ifb" }.map(\.index))
    for index in returning.subtracting(knownReturning) { try maps.returning.update(index, UInt8(1)) }
    for index in knownReturning.subtracting(returning) { maps.returning.delete(index) }
    knownReturning = returning

    let children = Set(
      interfaces.filter(\.isChild).map {
        $0.linkAddress.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      })
    for address in children.subtracting(knownChildren) {
      try maps.children.update(address.littleEndian, UInt8(1))
    }
    for address in knownChildren.subtracting(children) { maps.children.delete(address.littleEndian) }
    knownChildren = children
  }
}

extension RuleSet {
  /// Whether the interfaces that the rules' words stand for are others than before.
  fileprivate func distinguishes(_ old: HostView, from new: HostView) -> Bool {
    let changed = old.interfaces.filter { !new.has($0) } + new.interfaces.filter { !old.has($0) }
    guard !changed.isEmpty else { return false }
    return entries.contains { entry in
      entry.rule.clauses.contains { clause in
        clause.terms.contains { term in
          guard let match = term.test.interfaces else { return false }
          return changed.contains(where: match.matches)
        }
      }
    }
  }
}

extension HostView {
  /// Whether an interface is there with all that a word for interfaces may ask for.
  fileprivate func has(_ other: Interface) -> Bool {
    interfaces.contains {
      $0.index == other.index && $0.name == other.name && $0.addresses4 == other.addresses4
    }
  }
}

extension HostView {
  fileprivate init(interfaces: [NetworkInterface]) {
    self.init(
      interfaces: interfaces.map { interface in
        Interface(
          index: interface.index, name: interface.name,
          addresses4: interface.addresses4.map { IPv4Address(rawValue: $0) },
          addresses6: interface.addresses6.map { IPv6Address(high: $0.high, low: $0.low) })
      })
  }
}

extension HostView {
  /// Whose interface an address is; 0 where it is that of several.
  fileprivate func owners<Address: Hashable>(
    _ addresses: KeyPath<HostView.Interface, [Address]>
  ) -> [Address: UInt32] {
    interfaces.reduce(into: [:]) { owners, interface in
      for address in interface[keyPath: addresses] {
        owners[address] = owners[address] == nil || owners[address] == interface.index ? interface.index : 0
      }
    }
  }
}

/// A key of `HookMaps.localRoutes6`.
private struct LocalRouteKey: BitwiseCopyable {
  let length: UInt32
  let address: InlineArray<16, UInt8>

  init(_ route: LocalRoute) { (length, address) = (route.length, route.address) }
}

extension LocalRoute {
  /// A key of `HookMaps.localRoutes4`.
  fileprivate var key4: InlineArray<8, UInt8> {
    var key = InlineArray<8, UInt8>(repeating: 0)
    key[0] = UInt8(length)
    for index in 0..<4 { key[4 + index] = address[index] }
    return key
  }
}

extension NetworkInterface {
  /// Tunnels without a peer of their own send a packet where its route says (ip-tunnel(8), ip-route(8): `encap`).
  fileprivate var mayNeedRoute: Bool {
    !hasPeer && ["gre", "ip6gre", "ipip", "sit", "ip6tnl", "vti", "vti6"].contains(kind)
  }
}

extension IPv6Address {
  fileprivate var networkBytes: InlineArray<2, UInt64> { [high.bigEndian, low.bigEndian] }
}
