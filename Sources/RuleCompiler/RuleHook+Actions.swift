import BPF
import Firewall

/// What a round does at a rule. Registers: r6 to r9 as everywhere.
extension RuleHook {
  /// The record at the position in r1 becomes variables; changes r1 and r2.
  mutating func loadRule() {
    assembler.calculate(.multiply, .r1, UInt32(ImageLayout.Rule.size))
    assembler.load(.word, .r2, from: .r7, Variable.rules)
    assembler.calculate(.add, .r1, .r2)
    address(of: .r1)
    for (half, variable) in [
      (2 * ImageLayout.Rule.identity + 1, Variable.slot), (2 * ImageLayout.Rule.argument, Variable.argument),
      (2 * ImageLayout.Rule.argument + 1, Variable.flags), (2 * ImageLayout.Rule.steps, Variable.step),
      (2 * ImageLayout.Rule.steps + 1, Variable.threshold), (2 * ImageLayout.Rule.next, Variable.next),
    ] {
      assembler.load(.word, .r2, from: .r1, half * 4)
      assembler.store(.word, .r2, to: .r7, variable)
    }
    assembler.load(.word, .r1, from: .r1, ImageLayout.Rule.identity * 8)
    assembler.move32(.r2, .r1)
    assembler.calculate(.and, .r2, 0xffff)
    assembler.store(.word, .r2, to: .r7, Variable.tag)
    assembler.move32(.r2, .r1)
    assembler.calculate(.shiftRight, .r2, 24)
    assembler.store(.word, .r2, to: .r7, Variable.action)
    assembler.calculate(.shiftRight, .r1, 16)
    assembler.calculate(.and, .r1, 31)
  }

  /// Whether the loaded rule matches, and what becomes of the packet then; its set is in r1.
  mutating func judge() {
    let (skip, end) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r2, from: .r8, ImageLayout.Block.sets * 8)
    assembler.calculate(.shiftRight, .r2, .r1)
    assembler.calculate(.and, .r2, 1)
    assembler.jump(if: .r2, .equal, 0, to: end)
    askSteps(otherwise: end)
    if environment.linkHeaderLength == 0 {
      // There is no room for the frame header in front of the packet, and what makes room cannot be undone. Judgement goes
      // on in user space with all rules of a number: before the first one of them that matches.
      let fine = assembler.makeLabel()
      assembler.load(.word, .r1, from: .r7, Variable.flags)
      assembler.calculate(.and, .r1, ImageLayout.Flags.copies.rawValue)
      assembler.jump(if: .r1, .equal, 0, to: fine)
      decide(Outcome.upcall)
      assembler.place(fine)
    }
    askChance(otherwise: skip)
    spareNeighbourDiscovery(to: end)
    act()
    // The rule is done with: its other positions are passed over.
    assembler.place(skip)
    assembler.load(.word, .r1, from: .r7, Variable.flags)
    assembler.calculate(.and, .r1, ImageLayout.Flags.hasMorePositions.rawValue)
    assembler.jump(if: .r1, .equal, 0, to: end)
    assembler.load(.word, .r1, from: .r7, Variable.next)
    go()
    assembler.place(end)
    endRound()
  }

  private mutating func decide(_ outcome: UInt32) {
    assembler.store(.word, value: outcome, to: .r7, Variable.outcome)
    assembler.answer(1)
  }

  private mutating func askSteps(otherwise end: Label) {
    let matches = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.step)
    assembler.jump(if: .r1, .equal, ImageStep.matches, to: matches)
    assembler.move32(.r1, 1 << 20)
    assembler.loadFunction(.r2, stepOn)
    assembler.load(.doubleword, .r3, from: .r10, Self.ownFrame)
    assembler.move(.r4, 0)
    assembler.call(.loop)
    assembler.load(.word, .r1, from: .r7, Variable.step)
    assembler.jump(if: .r1, .notEqual, ImageStep.matches, to: end)
    assembler.place(matches)
  }

  private mutating func askChance(otherwise skip: Label) {
    let certain = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.flags)
    assembler.calculate(.and, .r1, ImageLayout.Flags.probability.rawValue)
    assembler.jump(if: .r1, .equal, 0, to: certain)
    assembler.call(.randomNumber)
    assembler.load(.word, .r1, from: .r7, Variable.threshold)
    assembler.jump(if: .r0, .greaterOrEqual, .r1, to: skip)
    assembler.place(certain)
  }

  private mutating func spareNeighbourDiscovery(to end: Label) {
    let other = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.flags)
    assembler.calculate(.and, .r1, ImageLayout.Flags.sparesNeighbourDiscovery.rawValue)
    assembler.jump(if: .r1, .equal, 0, to: other)
    assembler.load(.word, .r1, from: .r7, Variable.protocolNumber)
    assembler.jump(if: .r1, .notEqual, 58, to: other)
    assembler.load(.word, .r1, from: .r7, Variable.transportKind)
    assembler.jump(if: .r1, .notEqual, TransportKind.icmp, to: other)
    assembler.load(.word, .r1, from: .r7, Variable.icmpType)
    assembler.calculate(.subtract, .r1, 133)
    assembler.jump(if: .r1, .lessOrEqual, 4, to: end)
    assembler.place(other)
  }

  /// Falls through where the packet goes on with the next rule.
  private mutating func act() {
    let done = assembler.makeLabel()
    let actions: [(ImageAction, Label)] = [
      ImageAction.allow, .deny, .count, .divert, .tee, .skipto, .wait, .waitForPort,
    ].map { ($0, assembler.makeLabel()) }
    assembler.load(.word, .r1, from: .r7, Variable.action)
    assembler.load(.word, .r2, from: .r7, Variable.argument)
    assembler.store(.word, .r2, to: .r7, Variable.port)
    for (action, label) in actions { assembler.jump(if: .r1, .equal, UInt32(action.rawValue), to: label) }
    decide(Outcome.deny)
    for (action, label) in actions {
      assembler.place(label)
      switch action {
      case .allow: decide(Outcome.allow)
      case .deny: decide(Outcome.deny)
      case .count:
        countRule(maps)
        assembler.jump(to: done)
      case .skipto:
        countRule(maps)
        assembler.load(.word, .r1, from: .r7, Variable.argument)
        go()
        endRound()
      case .divert:
        passUnlessBound(to: done)
        decide(Outcome.divert)
      case .tee:
        guard environment.linkHeaderLength != 0 else {
          decide(Outcome.upcall)
          continue
        }
        countRule(maps)
        tee(maps)
        takeFrameAgain()
        ceaseToBeDiverted()
        assembler.jump(to: done)
      case .wait: decide(Outcome.wait)
      case .waitForPort:
        // Where nothing listens, or fragments are wanted as they are, there is nothing to wait for.
        assembler.lookUp(maps.ports, key: Variable.port)
        assembler.jump64(if: .r0, .equal, 0, to: done)
        assembler.load(.word, .r1, from: .r0, HookPort.Offset.link)
        assembler.jump(if: .r1, .equal, 0, to: done)
        assembler.load(.word, .r1, from: .r0, HookPort.Offset.options)
        assembler.jump(if: .r1, .anyBitSet, HookPortOptions.fragments.rawValue, to: done)
        decide(Outcome.wait)
      }
    }
    assembler.place(done)
  }

  /// While nothing has bound the port, and its policy is to pass packets, the packet counts for the rule and goes on; else
  /// nothing is counted yet.
  private mutating func passUnlessBound(to next: Label) {
    let goesAway = assembler.makeLabel()
    assembler.lookUp(maps.ports, key: Variable.port)
    assembler.jump64(if: .r0, .equal, 0, to: goesAway)
    assembler.load(.word, .r1, from: .r0, HookPort.Offset.link)
    assembler.jump(if: .r1, .notEqual, 0, to: goesAway)
    assembler.load(.word, .r1, from: .r0, HookPort.Offset.options)
    assembler.calculate(.and, .r1, HookPortOptions.passing.rawValue)
    assembler.jump(if: .r1, .equal, 0, to: goesAway)
    countRule(maps)
    countPackets(.noPort, maps)
    assembler.jump(to: next)
    assembler.place(goesAway)
  }

  private mutating func takeFrameAgain() {
    assembler.load(.doubleword, .r1, from: .r10, Self.ownFrame)
    takeFrame(.r1, context: true)
  }

  /// `diverted` holds no longer: where rules ask for that, the classes are found anew, and the walk begins behind the rule.
  private mutating func ceaseToBeDiverted() {
    let unasked = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, Variable.pass)
    assembler.calculate(.and, .r1, 1)
    assembler.store(.word, .r1, to: .r7, Variable.pass)
    assembler.load(.word, .r1, from: .r7, Variable.dimensions)
    assembler.calculate(.and, .r1, 1 << UInt32(Dimension.pass.rawValue))
    assembler.jump(if: .r1, .equal, 0, to: unasked)
    assembler.load(.doubleword, .r1, from: .r10, Self.ownFrame)
    assembler.call(find)
    assembler.load(.word, .r1, from: .r7, Variable.next)
    go()
    endRound()
    assembler.place(unasked)
  }

  // MARK: Steps

  /// One step of the loaded rule; r2 is the address of ``Frame``. r0 = 1: there are no more.
  mutating func functionStep() {
    let (yes, no, over, next) =
      (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(stepOn)
    takeFrame(.r2)
    assembler.load(.word, .r1, from: .r7, Variable.step)
    assembler.jump(if: .r1, .greaterOrEqual, ImageStep.fails, to: over)
    assembler.calculate(.multiply, .r1, UInt32(ImageStep.size))
    assembler.load(.word, .r2, from: .r7, Variable.steps)
    assembler.calculate(.add, .r1, .r2)
    address(of: .r1)
    assembler.load(.word, .r2, from: .r1, ImageStep.identity * 8)
    assembler.load(.word, .r3, from: .r1, ImageStep.operands * 8)
    assembler.load(.word, .r4, from: .r1, ImageStep.operands * 8 + 4)
    assembler.load(.doubleword, .r5, from: .r1, ImageStep.next * 8)
    assembler.move32(.r1, .r2)
    assembler.calculate(.and, .r1, 0xff)
    assembler.calculate(.shiftRight, .r2, 8)
    assembler.calculate(.and, .r2, 31)
    assembler.move32(.r0, .r2)
    assembler.calculate64(.shiftLeft, .r0, 2)
    assembler.calculate64(.add, .r0, .r7)
    assembler.load(.word, .r0, from: .r0, Variable.fields)
    let operations: [(ImageStep.Operation, Label)] = [
      ImageStep.Operation.masked, .range, .bit, .address128,
    ].map { ($0, assembler.makeLabel()) }
    for (operation, label) in operations {
      assembler.jump(if: .r1, .equal, UInt32(operation.rawValue), to: label)
    }
    assembler.jump(to: no)
    for (operation, label) in operations {
      assembler.place(label)
      switch operation {
      case .masked:
        assembler.calculate(.and, .r0, .r3)
        assembler.jump(if: .r0, .equal, .r4, to: yes)
        assembler.jump(to: no)
      case .range:
        assembler.jump(if: .r0, .less, .r3, to: no)
        assembler.jump(if: .r0, .lessOrEqual, .r4, to: yes)
        assembler.jump(to: no)
      case .bit:
        assembler.jump(if: .r0, .greater, 31, to: no)
        assembler.calculate(.shiftRight, .r3, .r0)
        assembler.calculate(.and, .r3, 1)
        assembler.jump(if: .r3, .notEqual, 0, to: yes)
        assembler.jump(to: no)
      case .address128: compareAddress(yes: yes, no: no)
      }
    }
    assembler.place(no)
    assembler.calculate64(.shiftRight, .r5, 32)
    assembler.place(yes)
    assembler.store(.word, .r5, to: .r7, Variable.step)
    assembler.place(next)
    assembler.answer(0)
    assembler.place(over)
    assembler.answer(1)
  }

  /// The address of field r2 with the four words at r3.
  private mutating func compareAddress(yes: Label, no: Label) {
    address(of: .r3)
    for half in 0..<2 {
      let (destination, loaded) = (assembler.makeLabel(), assembler.makeLabel())
      assembler.jump(if: .r2, .notEqual, UInt32(ImageField.source4.rawValue), to: destination)
      assembler.load(.doubleword, .r0, from: .r7, Variable.source6 + half * 8)
      assembler.jump(to: loaded)
      assembler.place(destination)
      assembler.load(.doubleword, .r0, from: .r7, Variable.destination6 + half * 8)
      assembler.place(loaded)
      assembler.load(.doubleword, .r1, from: .r3, 16 + half * 8)
      assembler.calculate64(.and, .r0, .r1)
      assembler.load(.doubleword, .r1, from: .r3, half * 8)
      assembler.jump64(if: .r0, .notEqual, .r1, to: no)
    }
    assembler.jump(to: yes)
  }
}
