package import BPF
import DivertWire
import Firewall

/// The program that judges the packets of one direction of interfaces, by the rule image in force.
///
/// Registers throughout: r6 the context, r7 where the variables lie (``Variable``); in the rules r8, where the image lies,
/// and r9, the mask of an index into it.
///
/// The program gives the same answers as ``RuleImage/evaluate(_:_:from:counters:)``. What it cannot judge
/// it sends to divertd as an upcall at that rule, where the evaluator goes on. It knows no rule: the kernel's verifier sees
/// it once, whatever rules there will be.
package struct RuleHook: ~Copyable {
  var assembler = Assembler(variables: .r7)
  let environment: HookEnvironment
  let maps: HookMaps
  let letGo: Label
  let refuse: Label
  let divert: Label
  let upcall: Label
  let accept: Label
  let deny: Label
  // Functions.
  /// ``Assembler/findPath(_:secret:_:)``.
  let findPath: Label
  let evaluate: Label
  let find: Label
  let longest32: Label
  let longest128: Label
  /// Those that the kernel calls in a loop.
  let judgeBySection: Label
  let nextPrefix: Label
  let round: Label
  let stepOn: Label

  package static func compile(
    environment: HookEnvironment, maps: borrowing HookMaps
  ) throws(AssemblerError) -> [Instruction] {
    var hook = RuleHook(environment: environment, maps: copy maps)
    hook.entry(maps)
    hook.parse(maps)
    // The endings stand before the rules, so that conditional jumps reach them from the parser.
    let rules = hook.assembler.makeLabel()
    hook.assembler.jump(to: rules)
    hook.endings(maps)
    hook.assembler.place(rules)
    if environment.judgesInUserSpace {
      hook.goUpFromTheBeginning()
    } else {
      hook.rules(maps)
      hook.functions()
    }
    hook.assembler.findPath(hook.findPath, secret: environment.secret, maps)
    return try hook.assembler.finish()
  }

  /// Behind all else.
  private mutating func functions() {
    functionJudgeBySection()
    functionEvaluate()
    functionRound()
    functionStep()
    functionFind()
    functionPrefix()
    function32()
    function128()
  }

  private init(environment: HookEnvironment, maps: HookMaps) {
    self.environment = environment
    self.maps = maps
    letGo = assembler.makeLabel()
    refuse = assembler.makeLabel()
    divert = assembler.makeLabel()
    upcall = assembler.makeLabel()
    accept = assembler.makeLabel()
    deny = assembler.makeLabel()
    findPath = assembler.makeLabel()
    evaluate = assembler.makeLabel()
    find = assembler.makeLabel()
    longest32 = assembler.makeLabel()
    longest128 = assembler.makeLabel()
    judgeBySection = assembler.makeLabel()
    nextPrefix = assembler.makeLabel()
    round = assembler.makeLabel()
    stepOn = assembler.makeLabel()
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

  private mutating func rules(_ maps: borrowing HookMaps) {
    findImage(maps)
    prepareFields()
    findLocalAddresses(maps)
    chooseSection()
    assembler.move(.r1, 2)
    assembler.loadFunction(.r2, judgeBySection)
    assembler.move(.r3, .r10)
    assembler.calculate64(.add, .r3, Int32(Self.frame))
    assembler.move(.r4, 0)
    assembler.call(.loop)
    assembler.load(.word, .r0, from: .r7, Variable.outcome)
    assembler.jump(if: .r0, .equal, Outcome.allow, to: accept)
    assembler.jump(if: .r0, .equal, Outcome.deny, to: deny)
    assembler.jump(if: .r0, .equal, Outcome.divert, to: divert)
    assembler.jump(if: .r0, .equal, Outcome.upcall, to: upcall)
    // A fragment that waits; or more rounds than there can be.
    goUpFromTheBeginning()
  }

  /// Which section comes first: that of the rules, or a gate's. Fragments whose datagram a rule might divert, or of this
  /// host's tell from its fragments, are judged in user space with the rest of it; see ``FragmentGate``.
  private mutating func chooseSection() {
    let (whole, received, chosen) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.store(.word, value: 1, to: .r7, Variable.isGate)
    if environment.waitsForFragments {
      assembler.load(.word, .r1, from: .r7, Variable.isFragment)
      assembler.jump(if: .r1, .equal, 0, to: whole)
      assembler.load(.word, .r2, from: .r8, ImageLayout.Block.sections * 8 + 4)
      if isOutgoing {
        assembler.load(.word, .r1, from: .r7, Variable.receiveInterface)
        assembler.jump(if: .r1, .notEqual, 0, to: received)
        assembler.load(.word, .r2, from: .r8, ImageLayout.Block.moreSections * 8)
        assembler.place(received)
      }
      assembler.store(.word, .r2, to: .r7, Variable.section)
      assembler.store(.word, value: 0, to: .r7, Variable.tagBefore)
      assembler.jump(if: .r2, .notEqual, 0, to: chosen)
    }
    assembler.place(whole)
    chooseRules()
    assembler.place(chosen)
  }

  private mutating func chooseRules() {
    assembler.load(.word, .r1, from: .r8, ImageLayout.Block.sections * 8)
    assembler.store(.word, .r1, to: .r7, Variable.section)
    assembler.load(.word, .r1, from: .r7, Variable.restart)
    assembler.store(.word, .r1, to: .r7, Variable.tagBefore)
    assembler.store(.word, value: 0, to: .r7, Variable.isGate)
  }

  /// Judges by a section, in a loop, so that the verifier sees that once; r2 is the address of ``Frame``. r0 = 1: that was
  /// all.
  private mutating func functionJudgeBySection() {
    let over = assembler.makeLabel()
    assembler.place(judgeBySection)
    takeFrame(.r2)
    assembler.move(.r1, .r2)
    assembler.load(.word, .r2, from: .r7, Variable.section)
    assembler.load(.word, .r3, from: .r7, Variable.tagBefore)
    assembler.call(evaluate)
    assembler.store(.word, .r0, to: .r7, Variable.outcome)
    assembler.load(.word, .r1, from: .r7, Variable.isGate)
    assembler.jump(if: .r1, .equal, 0, to: over)
    assembler.jump(if: .r0, .equal, Outcome.wait, to: over)
    chooseRules()
    assembler.answer(0)
    assembler.place(over)
    assembler.answer(1)
  }

  /// What the evaluator wants beside what the parser has read.
  private mutating func prepareFields() {
    let (version4, first, done) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    let via = isOutgoing ? Variable.transmitInterface : Variable.receiveInterface
    assembler.load(.word, .r1, from: .r7, via)
    assembler.store(.word, .r1, to: .r7, Variable.via)
    assembler.load(.word, .r1, from: .r7, Variable.isDiverted)
    assembler.calculate(.shiftLeft, .r1, 1)
    assembler.calculate(.or, .r1, UInt32(environment.direction.rawValue))
    assembler.store(.word, .r1, to: .r7, Variable.pass)
    assembler.load(.word, .r1, from: .r7, Variable.version)
    assembler.jump(if: .r1, .equal, 4, to: version4)
    for (half, variable) in [
      (8, Variable.source6), (16, Variable.source6 + 8), (24, Variable.destination6),
      (32, Variable.destination6 + 8),
    ] {
      assembler.load(.doubleword, .r1, from: .r7, Variable.header + half)
      assembler.swapBigEndian(.r1, bits: 64)
      assembler.store(.doubleword, .r1, to: .r7, variable)
    }
    assembler.store(.word, value: 0, to: .r7, Variable.fragmentBits)
    assembler.jump(to: done)
    assembler.place(version4)
    assembler.load(.byte, .r1, from: .r7, Variable.header + 6)
    assembler.calculate(.and, .r1, 0xe0)
    assembler.load(.word, .r2, from: .r7, Variable.fragmentOffset)
    assembler.jump(if: .r2, .equal, 0, to: first)
    assembler.calculate(.or, .r1, 1)
    assembler.place(first)
    assembler.store(.word, .r1, to: .r7, Variable.fragmentBits)
    assembler.place(done)
  }

  /// Looks the addresses up that rules ask for with `me` and `me6`, once for all of them.
  private mutating func findLocalAddresses(_ maps: borrowing HookMaps) {
    for (bit, isLocal, header4, header6) in [
      (ImageLayout.LocalLookUps.source, Variable.sourceIsLocal, 12, 8),
      (.destination, Variable.destinationIsLocal, 16, 24),
    ] {
      let (asked, version6, looked, known) =
        (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      assembler.store(.word, value: 0, to: .r7, isLocal)
      assembler.load(.word, .r1, from: .r8, ImageLayout.Block.moreSections * 8 + 4)
      assembler.jump(if: .r1, .anyBitSet, bit.rawValue, to: asked)
      assembler.jump(to: known)
      assembler.place(asked)
      assembler.load(.word, .r1, from: .r7, Variable.version)
      assembler.jump(if: .r1, .equal, 6, to: version6)
      assembler.lookUp(maps.local4, key: Variable.header + header4)
      assembler.jump(to: looked)
      assembler.place(version6)
      assembler.lookUp(maps.local6, key: Variable.header + header6)
      assembler.place(looked)
      assembler.jump64(if: .r0, .equal, 0, to: known)
      assembler.store(.word, value: 1, to: .r7, isLocal)
      assembler.place(known)
    }
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
}
