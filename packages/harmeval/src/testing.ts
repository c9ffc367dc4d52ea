// Public test kit of @safeinfer/harmeval: models that follow a script.

export {
  type EndpointReply,
  type EndpointRequest,
  type ScriptedEndpoint,
  scriptedEndpoint,
} from './mock/scripted-endpoint.ts';
export {
  always,
  type Behaviour,
  mixed,
  type Script,
  type ScriptedModel,
  scriptedModel,
  withFaults,
} from './mock/scripted-model.ts';
