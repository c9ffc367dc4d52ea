// Layer x head map of the average indirect effect that a steering vector was built from.
import type { JSX } from 'preact';
import type { RunDetail } from '../../schema/api.ts';
import type { HeadMap } from '../../schema/head-map.ts';
import { useApp } from '../app-context.ts';
import { signed } from '../format.ts';
import { extentOf, signedColour } from '../parts/colour-scale.ts';
import { HeatMap } from '../parts/heat-map.tsx';
import { Notice } from '../parts/notice.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { useLoaded } from '../use-loaded.ts';
import { setParams } from '../use-route.ts';

export function HeadsPage({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { source, route } = useApp();
  const asked = route.params.get('arm');
  const name = detail.heads.find((head) => head === asked) ?? detail.heads[0];
  const { value, error } = useLoaded(`${detail.summary.revision} ${name}`, async () =>
    name === undefined ? undefined : source.heads(detail.id, name),
  );
  if (name === undefined) {
    return (
      <Notice>
        No head maps. An arm with safety amplification writes one into <code>heads/</code>.
      </Notice>
    );
  }
  return (
    <>
      <div class="filters">
        <SelectField
          label="arm"
          value={name}
          options={detail.heads}
          onChange={(arm) => setParams(route, { arm })}
        />
      </div>
      {error !== undefined && <Notice error={error} />}
      {value && <Heads map={value} />}
    </>
  );
}

function Heads({ map }: { readonly map: HeadMap }): JSX.Element {
  const extent = extentOf(map.aie.flat());
  const rank = new Map(map.top.map(({ layer, head }, i) => [`${layer},${head}`, i + 1]));
  return (
    <div class="heads-layout">
      <HeatMap
        label="Average indirect effect"
        rowTitle="layer"
        columnTitle="head"
        rowNames={Array.from({ length: map.layers }, (_, i) => String(i))}
        columnNames={Array.from({ length: map.heads }, (_, i) => String(i))}
        values={map.aie}
        colour={(value) => signedColour(value, extent)}
        valueText={signed}
        marked={new Set(rank.keys())}
        describe={({ row, column }) => {
          const place = rank.get(`${row},${column}`);
          return `layer ${row}, head ${column}: ${signed(map.aie[row]?.[column] ?? 0)}${place === undefined ? '' : `, number ${place} of the chosen heads`}`;
        }}
      />
      <section>
        <h2>Chosen heads</h2>
        <table class="plain small">
          <thead>
            <tr>
              <th scope="col" class="number">
                #
              </th>
              <th scope="col">Head</th>
              <th scope="col" class="number">
                AIE
              </th>
            </tr>
          </thead>
          <tbody>
            {map.top.map(({ layer, head, aie }, i) => (
              <tr key={`${layer}.${head}`}>
                <td class="number muted">{i + 1}</td>
                <th scope="row">
                  {layer}.{head}
                </th>
                <td class="number">{signed(aie)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="muted small">
          {map.method}, {map.prompts} prompts, seed {map.seed}, {map.model.name}
        </p>
      </section>
    </div>
  );
}
