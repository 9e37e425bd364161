import DivertEngine
package import DivertWire
import Firewall
package import Kernel
import Packets
import RuleCompiler

extension LinuxHost {
  /// What has happened since this divertd was started, and the state of its ports.
  package func statistics() throws(SystemError) -> HostStatistics {
    let sockets = try PacketSocketTable.read()
    releaseSockets(gone: sockets)
    let byCookie = Dictionary(sockets.entries.map { ($0.cookie, $0) }) { first, _ in first }
    var statistics = HostStatistics()
    for port in ports.table.ports {
      guard let holder = ports.table[port], let entry = byCookie[holder.cookie] else { continue }
      statistics.bound.append(describe(port, holder, entry))
    }
    statistics.unbound = unboundPorts.map { UnboundPort(port: $0, policy: policy(ofPort: $0)) }
    statistics.totals = totals
    statistics.unruled = withoutRules.sorted { $0.key < $1.key }.map {
      UnruledInterface(name: $0.value.name, reason: $0.value.reason)
    }
    statistics.staysInForce = staysInForce
    statistics.written = hookCounts.written(by: 1..<ports.slotCount)
    return statistics
  }

  private func policy(ofPort port: UInt16) -> UnboundPolicy {
    engine.passingPorts.contains(port) ? .pass : .drop
  }

  private func describe(
    _ port: UInt16, _ holder: PortHolder, _ entry: PacketSocketTable.Entry
  ) -> BoundPort {
    let counts = hookCounts[port] - holder.before
    let socket = ports.sockets[holder.cookie]
    let written = socket.map { hookCounts[slot: $0.slot] - $0.before } ?? Counts()
    return BoundPort(
      port: port, policy: policy(ofPort: port), options: SocketOptions(rawValue: holder.options.rawValue),
      link: holder.link.index, linkName: HostLink.name(ofPort: port), inode: entry.inode,
      waiting: entry.buffer.waiting, receiveBuffer: entry.buffer.size,
      droppedFull: socket?.droppedFull ?? 0, diverted: counts.diverted, teed: counts.teed, written: written)
  }

  /// Those that rules name, or that have a policy of their own.
  private var unboundPorts: [UInt16] {
    var ports = engine.passingPorts
    for entry in engine.ruleSet.entries {
      if let port = entry.rule.action.port { ports.insert(port) }
    }
    return ports.filter { self.ports.table[$0] == nil }.sorted()
  }

  private var totals: Counts<HostCount> {
    let (given, counters, fragments) = (hookCounts.allPorts, engine.counters, engine.fragments.counters)
    var totals = Counts<HostCount>()
    totals[.diverted] = given.diverted
    totals[.teed] = given.teed
    totals[.noPort] = count(of: .noPort) + counters.noListener
    totals[.looped] = count(of: .looped) + counters.looped
    totals[.droppedFull] = ports.droppedFull
    totals[.upcalls] = count(of: .upcall)
    totals[.delivered] = counters.delivered
    totals[.strangers] = count(of: .stranger)
    totals[.unreadable] = count(of: .unreadable)
    totals[.droppedFragments] = counters.droppedFragments
    totals[.fragments] = fragments.fragments
    totals[.reassembled] = fragments.reassembled
    totals[.timedOut] = fragments.timedOut
    totals[.evicted] = fragments.evicted
    totals[.givenUp] = fragments.givenUp
    totals[.tooManyFragments] = fragments.tooMany
    totals[.overlappingFragments] = fragments.overlapping
    totals[.duplicateFragments] = fragments.duplicate
    totals[.oversizeFragments] = fragments.oversize
    totals[.invalidFragments] = fragments.invalid
    totals[.mixedCongestion] = fragments.mixedCongestion
    totals[.noPath] = count(of: .noPath)
    totals[.lostPath] = count(of: .lostPath)
    totals[.unplaced] = unplacedUpcalls
    return totals
  }
}
