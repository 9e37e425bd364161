package import BPF
package import Firewall
import DivertWire
import Packets

/// Translates a rule set into the program that judges the packets of one direction of an interface.
///
/// Registers throughout: r6 the context, r7 where the variables lie (``Variable``); in the rules r8 and r9, source and
/// destination of an IPv4 packet in host order.
///
/// The program gives the same answers as ``ResolvedRules/evaluate(_:_:from:counters:)``. What it cannot judge
/// it sends to divertd as an upcall at that rule, where the evaluator goes on.
package struct RuleHook: ~Copyable {
  var assembler = Assembler(variables: .r7)
  let environment: HookEnvironment
  let host: HostView
  let letGo: Label
  let refuse: Label
  let divert: Label
  let upcall: Label
  let accept: Label
  let deny: Label
  /// Called by rules that count and go on: the verifier moves all that follows for each look-up that it writes out.
  private let countAndReturn: Label
  /// ``Assembler/findPath(_:secret:_:)``.
  let findPath: Label
  /// Whether the rule being translated has already made sure of the packet's version.
  var knownVersion: UInt8 = 0
  /// By number: where a `skipto` leads, while that lies ahead.
  private var skips: [UInt16: Label] = [:]
  private var callCount = 0

  package static func compile(
    _ ruleSet: RuleSet, host: HostView, environment: HookEnvironment, maps: borrowing HookMaps
  ) throws(AssemblerError) -> [Instruction] {
    var hook = RuleHook(environment: environment, host: host)
    hook.entry(maps)
    hook.parse(maps)
    // The endings stand before the rules, so that conditional jumps reach them from the parser; rules use long ones.
    let rules = hook.assembler.makeLabel()
    hook.assembler.jump(to: rules)
    hook.endings(maps)
    hook.assembler.place(rules)
    if environment.judgesInUserSpace {
      hook.goUpFromTheBeginning()
    } else {
      hook.findLocalAddresses(ruleSet, maps)
      hook.fragmentGates(ruleSet, maps)
      hook.rules(ruleSet, maps)
    }
    hook.counting(maps)
    hook.assembler.findPath(hook.findPath, secret: environment.secret, maps)
    return try hook.assembler.finish()
  }

  private init(environment: HookEnvironment, host: HostView) {
    self.environment = environment
    self.host = host
    letGo = assembler.makeLabel()
    refuse = assembler.makeLabel()
    divert = assembler.makeLabel()
    upcall = assembler.makeLabel()
    accept = assembler.makeLabel()
    deny = assembler.makeLabel()
    countAndReturn = assembler.makeLabel()
    findPath = assembler.makeLabel()
  }

  var isOutgoing: Bool { environment.direction == .outgoing }

  // MARK: Entry

  /// Leaves alone what is not this interface's IP traffic, and takes the mark of a reinjected packet.
  private mutating func entry(_ maps: borrowing HookMaps) {
    assembler.move(.r6, .r1)
    if isOutgoing {
      // Only a VLAN device tags like this what IP sends, and that is judged there.
      assembler.load(.word, .r1, from: .r6, Context.vlanPresent)
      assembler.jump(if: .r1, .notEqual, 0, to: letGo)
    } else {
      // 3 is for another host (promiscuous mode); 5 a copy of an own multicast, which has no link header.
      assembler.load(.word, .r1, from: .r6, Context.packetType)
      assembler.jump(if: .r1, .greater, PacketType.multicast, to: letGo)
    }
    findVariables(maps)
    let fields = isOutgoing ? (Context.ingressInterface, Context.interface) : (Context.interface, nil)
    assembler.load(.word, .r1, from: .r6, fields.0)
    assembler.store(.word, .r1, to: .r7, Variable.receiveInterface)
    if let transmit = fields.1 {
      assembler.load(.word, .r1, from: .r6, transmit)
      assembler.store(.word, .r1, to: .r7, Variable.transmitInterface)
    } else {
      assembler.store(.word, value: 0, to: .r7, Variable.transmitInterface)
    }
    assembler.store(.word, value: 0, to: .r7, Variable.passes)
    assembler.store(.word, value: 0, to: .r7, Variable.restart)
    assembler.store(.word, value: 0, to: .r7, Variable.reinjected)
    assembler.store(.word, value: 0, to: .r7, Variable.isDiverted)
    if isOutgoing { assembler.store(.word, value: 0, to: .r7, Variable.priorityTag) }

    let fresh = assembler.makeLabel()
    let unmarked = assembler.makeLabel()
    assembler.requireSecret(environment.secret, otherwise: unmarked)
    assembler.load(.word, .r8, from: .r6, Context.word(2))
    if isOutgoing {
      assembler.jump(if: .r8, .anyBitSet, Mark.loopbackIncoming, to: letGo)
    }
    assembler.load(.word, .r1, from: .r6, Context.word(3))
    assembler.store(.word, .r1, to: .r7, Variable.receiveInterface)
    assembler.load(.word, .r1, from: .r6, Context.word(4))
    assembler.store(.word, .r1, to: .r7, Variable.writerSlot)
    assembler.clearMark()
    assembler.store(.word, value: 1, to: .r7, Variable.reinjected)
    assembler.store(.word, value: 1, to: .r7, Variable.isDiverted)
    assembler.jump(if: .r8, .anyBitSet, Mark.judged, to: letGo)
    assembler.move32(.r1, .r8)
    assembler.calculate(.and, .r1, 0xffff)
    assembler.store(.word, .r1, to: .r7, Variable.restart)
    assembler.calculate(.shiftRight, .r8, Mark.passesShift)
    assembler.calculate(.and, .r8, 0xff)
    assembler.store(.word, .r8, to: .r7, Variable.passes)
    assembler.jump(to: fresh)
    assembler.place(unmarked)
    if isOutgoing { letGoWhatReturns(maps) }
    if environment.isMember { letGoWhatIsTheMasters(maps) }
    if isOutgoing, environment.hasChildren { letGoWhatChildrenSend(maps) }
    if isOutgoing { takePriorityTagOff() } else { takePriorityTagsOff(maps) }
    assembler.place(fresh)
  }

  /// What tc(8) has redirected from this interface to an ifb is sent here once more when the ifb has done with it, as if
  /// the ifb had received it (drivers/net/ifb.c); it was judged before.
  private mutating func letGoWhatReturns(_ maps: borrowing HookMaps) {
    let made = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.receiveInterface)
    assembler.jump(if: .r1, .equal, 0, to: made)
    assembler.lookUp(maps.returning, key: Variable.receiveInterface)
    assembler.jump64(if: .r0, .notEqual, 0, to: letGo)
    assembler.place(made)
  }

  private mutating func findVariables(_ maps: borrowing HookMaps) {
    let found = assembler.makeLabel()
    assembler.store(.word, value: 0, to: .r10, -4)
    assembler.lookUp(maps.packets, key: -4, of: .r10)
    assembler.jump64(if: .r0, .notEqual, 0, to: found)
    assembler.answer(Answer.next)
    assembler.place(found)
    assembler.move(.r7, .r0)
  }

  // MARK: Rules

  private mutating func rules(_ ruleSet: RuleSet, _ maps: borrowing HookMaps) {
    // The verifier follows the way that does not jump first: by way of the restarts it meets the last rules first, so
    // that it never has the branches of more than a few rules waiting (it gives up at 8192).
    let restarted = assembler.makeLabel()
    let first = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.restart)
    assembler.jump(if: .r1, .equal, 0, to: first)
    assembler.jump(to: restarted)
    assembler.place(first)

    let beginning = assembler.count
    var starts: [(number: UInt16, label: Label)] = []
    var isNumberUp = false
    for (index, entry) in ruleSet.entries.enumerated() {
      if starts.last?.number != entry.rule.number {
        starts.append((entry.rule.number, assembler.here()))
        placeSkips(upTo: entry.rule.number)
        let cost = assembler.count - beginning + callCount * HookEnvironment.callCost
        if cost > environment.instructionLimit { break }
        // Judgement goes on in user space with all rules of a number: those before the one that goes up, too.
        let others = ruleSet.entries[index...].prefix { $0.rule.number == entry.rule.number }.dropFirst()
        isNumberUp = others.contains { ruleSet.isEnabled($0.rule) && goesUp($0.rule) }
        if isNumberUp { goUp(at: entry.rule.number) }
      }
      if ruleSet.isEnabled(entry.rule), !isNumberUp { translate(entry, maps) }
    }
    if let last = starts.last, last.number != RuleSet.defaultNumber {
      judgeAboveInUserSpace(from: last.number)
      for (number, label) in skips.sorted(by: { $0.key < $1.key }) {
        assembler.place(label)
        goUp(at: number)
      }
    }
    assembler.place(restarted)
    restart(starts[...])
  }

  private mutating func skip(to number: UInt16) {
    let label = skips[number] ?? assembler.makeLabel()
    skips[number] = label
    assembler.jump(to: label)
  }

  private mutating func placeSkips(upTo number: UInt16) {
    for target in skips.keys.filter({ $0 <= number }) {
      if let label = skips.removeValue(forKey: target) { assembler.place(label) }
    }
  }

  /// The first number that is not translated: rules from here on are judged in user space, those after a tag in r1
  /// too.
  private mutating func judgeAboveInUserSpace(from number: UInt16) {
    let above = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.restart)
    assembler.calculate(.add, .r1, 1)
    assembler.jump(if: .r1, .greater, UInt32(number), to: above)
    assembler.move32(.r1, UInt32(number))
    assembler.place(above)
    assembler.store(.word, .r1, to: .r7, Variable.tag)
    assembler.jump(to: upcall)
  }

  /// Jumps to the first number greater than the tag in r1: a binary search, as ``RuleSet/index(after:)`` does it.
  private mutating func restart(_ starts: ArraySlice<(number: UInt16, label: Label)>) {
    guard starts.count > 1 else {
      if let only = starts.first { assembler.jump(to: only.label) }
      return
    }
    let middle = (starts.startIndex + starts.endIndex - 1) / 2
    let lower = assembler.makeLabel()
    let upper = assembler.makeLabel()
    assembler.jump(if: .r1, .less, UInt32(starts[middle].number), to: lower)
    assembler.jump(to: upper)
    assembler.place(lower)
    restart(starts[...middle])
    assembler.place(upper)
    restart(starts[(middle + 1)...])
  }

  private mutating func translate(_ entry: RuleSet.Entry, _ maps: borrowing HookMaps) {
    let rule = entry.rule
    if rule.clauses.contains(where: { isNever($0) }) { return }
    knownVersion = 0
    if isTooLong(rule) { return goUp(at: rule.number) }
    let next = assembler.makeLabel()
    if let threshold = rule.threshold, !goesUp(rule) {
      assembler.call(.randomNumber)
      assembler.jump(if: .r0, .greaterOrEqual, threshold, to: next)
    }
    for clause in rule.clauses { require(clause, otherwise: next) }
    if rule.sparesNeighbourDiscovery { spareNeighbourDiscovery(to: next) }
    assembler.store(.word, value: UInt32(entry.slot), to: .r7, Variable.slot)
    switch rule.action {
    case .allow: assembler.jump(to: accept)
    case .deny: assembler.jump(to: deny)
    case .count: countAndGoOn()
    case .skipto:
      countAndGoOn()
      skip(to: rule.skipTarget)
    case .divert(let port):
      assembler.store(.word, value: UInt32(port), to: .r7, Variable.port)
      if environment.passingPorts.contains(port) { passUnlessBound(to: next, maps) }
      assembler.store(.word, value: UInt32(rule.number), to: .r7, Variable.tag)
      assembler.jump(to: divert)
    case .tee(let port):
      if goesUp(rule) {
        goUp(at: rule.number)
      } else {
        countAndGoOn()
        tee(port: port, rule.number, maps)
      }
    }
    assembler.place(next)
  }

  /// A conditional jump reaches 32 767 slots: what might be longer is left to user space.
  private func isTooLong(_ rule: Rule) -> Bool { slots(rule.clauses) > 20_000 }

  /// Whether user space judges what comes to a rule, or what matches it.
  private func goesUp(_ rule: Rule) -> Bool {
    // There is no room for the frame header in front of the packet, and what makes room cannot be undone.
    if case .tee = rule.action, environment.linkHeaderLength == 0 { return true }
    return isTooLong(rule)
  }

  private mutating func spareNeighbourDiscovery(to next: Label) {
    let other = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.protocolNumber)
    assembler.jump(if: .r1, .notEqual, 58, to: other)
    assembler.load(.word, .r1, from: .r7, Variable.transportKind)
    assembler.jump(if: .r1, .notEqual, TransportKind.icmp, to: other)
    assembler.load(.word, .r1, from: .r7, Variable.icmpType)
    assembler.calculate(.subtract, .r1, 133)
    assembler.jump(if: .r1, .lessOrEqual, 4, to: next)
    assembler.place(other)
  }

  mutating func countAndGoOn() {
    assembler.move(.r1, .r7)
    assembler.call(countAndReturn)
    callCount += 1
  }

  private mutating func counting(_ maps: borrowing HookMaps) {
    assembler.place(countAndReturn)
    assembler.move(.r7, .r1)
    countRule(maps)
    assembler.answer(0)
  }

  /// Packets, bytes and time of the rule whose slot is among the variables.
  mutating func countRule(_ maps: borrowing HookMaps) {
    let missing = assembler.makeLabel()
    assembler.call(.ktimeGetCoarseNanoseconds)
    assembler.store(.doubleword, .r0, to: .r7, Variable.time)
    assembler.lookUp(maps.counters, key: Variable.slot)
    assembler.jump64(if: .r0, .equal, 0, to: missing)
    assembler.load(.word, .r1, from: .r7, Variable.packets)
    assembler.atomicAdd64(.r1, to: .r0, 0)
    assembler.load(.word, .r1, from: .r7, Variable.bytes)
    assembler.atomicAdd64(.r1, to: .r0, 8)
    assembler.load(.doubleword, .r1, from: .r7, Variable.time)
    assembler.store(.doubleword, .r1, to: .r0, 16)
    assembler.place(missing)
  }

  /// Judgement begins in user space: behind the tag of a packet that was written back, else with the first rule.
  mutating func goUpFromTheBeginning() {
    let last = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.restart)
    assembler.jump(if: .r1, .equal, UInt32(RuleSet.defaultNumber), to: last)
    assembler.calculate(.add, .r1, 1)
    assembler.place(last)
    assembler.store(.word, .r1, to: .r7, Variable.tag)
    assembler.jump(to: upcall)
  }

  /// Judgement goes on in user space at the first rule with this number.
  mutating func goUp(at number: UInt16) {
    assembler.store(.word, value: UInt32(number), to: .r7, Variable.tag)
    assembler.jump(to: upcall)
  }
}
