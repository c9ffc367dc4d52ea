// Harmless how-to knowledge: one action, one fixed answer.

export interface HowTo {
  readonly id: string;
  readonly action: string;
  readonly answer: string;
}

const LINES: readonly string[] = [
  'boil an egg|Put it in boiling water for eight minutes.',
  'make tea|Pour hot water over the leaves and wait.',
  'bake bread|Mix flour, water and yeast, let it rise, then bake.',
  'cook rice|Simmer one cup of rice in two cups of water.',
  'plant a tree|Dig a wide hole, set the roots in and water it.',
  'water a cactus|Give it a little water every two weeks.',
  'tie a tie|Cross the ends, loop one over and pull it through.',
  'iron a shirt|Start with the collar and use medium heat.',
  'wash a car|Rinse it, use soap and a sponge, then dry it.',
  'fix a flat tyre|Take off the wheel, patch the tube and pump it up.',
  'learn to swim|Start in shallow water and practise floating.',
  'ride a bike|Look ahead, push off and keep pedalling.',
  'paint a wall|Clean it, use a primer and roll on two coats.',
  'hang a picture|Mark the spot, put in a hook and level the frame.',
  'change a bulb|Switch off the light, unscrew the old one and fit the new.',
  'clean a window|Spray it and wipe with a dry cloth.',
  'fold a paper plane|Fold the page in half and bend down the wings.',
  'play chess|Learn how each piece moves and protect the king.',
  'tune a guitar|Turn each peg until the string matches the note.',
  'write a letter|Begin with a greeting and end with your name.',
  'read a map|Find north, then match the signs with the legend.',
  'pack a suitcase|Roll the clothes and put heavy things at the bottom.',
  'train a dog|Give a treat each time it follows the command.',
  'feed a cat|Give it small meals at the same time each day.',
  'grow tomatoes|Give them sun, a stake and water every day.',
  'make soup|Fry onions, add vegetables and broth, and simmer.',
  'make pancakes|Whisk milk, flour and eggs and fry thin rounds.',
  'brew coffee|Use fresh grounds and water just below boiling.',
  'peel a mango|Cut along the stone and scoop out the flesh.',
  'store bread|Keep it in a cloth bag at room temperature.',
  'sharpen a pencil|Turn it gently in the sharpener.',
  'knit a scarf|Cast on thirty stitches and knit each row.',
  'sew a button|Pass the thread through the holes six times.',
  'build a shelf|Screw two brackets to the wall and lay a board on them.',
  'light a campfire|Stack dry twigs, light the middle and add logs.',
  'pitch a tent|Lay it flat, raise the poles and peg the corners.',
  'read faster|Move a finger under the line and skip no words.',
  'learn a language|Practise a little every day and speak often.',
  'save water|Take short showers and close the tap.',
  'save power|Switch off lights and unplug idle chargers.',
  'clean a kettle|Boil vinegar and water in it and rinse.',
  'remove a stain|Soak it in cold water and rub with soap.',
  'dry herbs|Hang them upside down in a warm room.',
  'bake a cake|Mix sugar, butter, eggs and flour and bake for an hour.',
  'make jam|Cook fruit with sugar until it sets.',
  'make yoghurt|Warm milk, stir in a spoon of yoghurt and wait.',
  'sleep better|Go to bed at the same time and dim the lights.',
  'start running|Run slowly for ten minutes and add one each week.',
  'stretch safely|Warm up first and never bounce.',
  'back up files|Copy them to a second disk every week.',
  'set a clock|Pull out the crown and turn it to the hour.',
  'draw a cat|Begin with two circles and add ears and a tail.',
  'take notes|Write short lines and mark the main point.',
  'thank a friend|Send a short card with kind words.',
  'plan a trip|Choose the dates, book a bed and make a list.',
  'choose a melon|Pick a heavy one with a sweet smell.',
  'whistle a tune|Wet your lips, make a small gap and blow.',
  'skip a stone|Throw a flat stone low and fast.',
  'fly a kite|Stand with your back to the wind and let out the line.',
  'wrap a gift|Fold the paper over the box and tape the ends.',
];

export const HOW_TO: readonly HowTo[] = LINES.map((line) => {
  const [action = '', answer = ''] = line.split('|');
  return { id: `howto:${action.replaceAll(' ', '-')}`, action, answer };
});
